# glibc: Temporal's native part has no build for musl, so no Alpine.
FROM node:20-slim
WORKDIR /app
ENV NODE_ENV=production

# The packages change less often than the sources: a layer of their own.
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --no-audit --no-fund && npm cache clean --force

COPY bin ./bin
COPY src ./src
COPY cli.ts server.ts worker.ts tsconfig.json ./

USER node
EXPOSE 8888
CMD ["node", "--import", "tsx", "server.ts"]
