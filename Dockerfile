# The images of Flint where there is a docker engine; `make image` writes the same ones without.
#
#   docker build --target operator -t registry.example.com/flint-operator:0.1.0 .
#   docker build --target proxy    -t registry.example.com/flint-proxy:0.1.0 .
#   docker build --platform linux/arm64 ...
#   docker build --no-cache --pull ...       renews Debian's libraries too
#
# All files come from hack/image/root-files.ts: a runtime with its shared libraries, and a bundle. There is no shell in the
# result, no package manager and no other program. Two layers: a new version of Flint is some hundred kilobytes to pull.

FROM node:26.10.0-bookworm-slim AS build
RUN apt-get update && apt-get install --yes --no-install-recommends binutils
WORKDIR /flint
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY . .

FROM build AS operator-files
RUN apt-get update && hack/runtime node hack/image/root-files.ts flint-operator /image
FROM scratch AS operator
COPY --from=operator-files /image/runtime/ /
COPY --from=operator-files /image/flint/ /
USER 65532:65532
ENV MALLOC_ARENA_MAX=1
EXPOSE 9901/tcp
ENTRYPOINT ["/usr/bin/node", "--max-semi-space-size=8", "--heap-growing-percent=20", "/opt/flint/lib/flint/main.js"]
CMD ["operator"]

FROM build AS proxy-node-files
RUN apt-get update && hack/runtime node hack/image/root-files.ts flint-proxy-node /image
FROM scratch AS proxy-node
COPY --from=proxy-node-files /image/runtime/ /
COPY --from=proxy-node-files /image/flint/ /
USER 65532:65532
EXPOSE 8080/tcp 8443/tcp 9901/tcp
ENTRYPOINT ["/usr/bin/node", "/opt/flint/lib/flint/main.js"]
CMD ["proxy"]

FROM build AS proxy-files
RUN apt-get update && hack/runtime node hack/image/root-files.ts flint-proxy /image
FROM scratch AS proxy
COPY --from=proxy-files /image/runtime/ /
COPY --from=proxy-files /image/flint/ /
USER 65532:65532
EXPOSE 8080/tcp 8443/tcp 9901/tcp
ENTRYPOINT ["/usr/bin/bun", "/opt/flint/lib/flint/main.js"]
CMD ["proxy"]
