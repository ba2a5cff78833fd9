// Prints what an address of the API answers: node examples/llm-tokens/get.mjs '/api/v1/meters'
const apiUrl = process.env.PERENNIAL_URL ?? 'http://127.0.0.1:8888'
const apiKey = process.env.PERENNIAL_API_KEY
const response = await fetch(apiUrl + process.argv[2], {
  headers: apiKey ? { authorization: `Bearer ${apiKey}` } : {},
})
process.stdout.write(`${await response.text()}\n`)
process.exitCode = response.ok ? 0 : 1
