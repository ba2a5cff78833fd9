import type { Client, Connection, PoolClient, Submittable } from 'pg'

/** COPY … FROM STDIN of text that is ready: the fastest way into a table that PostgreSQL has. */
export async function copyIn(client: Client | PoolClient, statement: string, data: Buffer): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    let problem: Error | null = null
    const query = {
      submit: (connection: Connection) => connection.query(statement),
      handleCopyInResponse: (connection: CopyConnection) => {
        connection.sendCopyFromChunk(data)
        connection.endCopyFrom()
      },
      handleCommandComplete: () => {},
      handleError: (error: Error) => {
        problem = error
        reject(error)
      },
      handleReadyForQuery: () => {
        if (problem === null) resolve()
      },
    }
    client.query(query as unknown as Submittable)
  })
}

interface CopyConnection {
  readonly sendCopyFromChunk: (chunk: Buffer) => void
  readonly endCopyFrom: () => void
}
