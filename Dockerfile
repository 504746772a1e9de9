# One image per process: docker build --build-arg APP=ingress .
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /tributary
COPY package.json package-lock.json .npmrc ./
# No install scripts: they fetch a second Node and PostgreSQL, which only `npm start` and the tests use.
RUN npm ci --ignore-scripts
COPY . .
RUN node tools/build/build.mjs --force && npm prune --omit=dev --ignore-scripts

FROM ${NODE_IMAGE}
ARG APP
ENV APP=${APP} NODE_ENV=production
WORKDIR /tributary
# A named volume that is mounted here takes over this owner, so that `setup` may write the key into it.
RUN test -n "${APP}" && mkdir /keys && chown node:node /keys
COPY --from=build /tributary/package.json ./
COPY --from=build /tributary/node_modules node_modules
COPY --from=build /tributary/dist dist
COPY --from=build /tributary/integrations integrations
USER node
EXPOSE 8080
# exec: the process has to be the one that receives SIGTERM.
CMD ["sh", "-c", "exec node --max-semi-space-size=8 --heap-growing-percent=100 dist/apps/${APP}/src/main.js"]
