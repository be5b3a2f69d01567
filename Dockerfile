# The ledger's one binary, static, in an image that holds nothing else.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -o /ledger ./cmd/ledger
RUN install -d -m 0700 /folders/data && install -d -m 1777 /folders/tmp

FROM scratch
# Certificates for Postgres, NATS and whatever else is reached over TLS; /tmp for what SQLite sorts on disk.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build --chown=65532:65532 /folders/ /
COPY --from=build /ledger /ledger
USER 65532:65532
VOLUME /data
EXPOSE 8080
ENTRYPOINT ["/ledger"]
CMD ["serve", "--data", "/data", "--listen", "0.0.0.0:8080"]
