# The server in a container.
#
#   docker build -t aims .
#   docker run --rm -p 8042:8042 -v aims:/var/lib/aims aims            try it: brings its own database
#   docker run --rm -e DATABASE_OWNER_URL=postgres://... aims migrate  in production: migrate first,
#   docker run -p 8042:8042 -e DATABASE_URL=postgres://... \
#       -e PUBLIC_URL=https://aims.example.org aims                    then serve
#
# The PostgreSQL programs are in the image so that the first line works; with DATABASE_URL they are
# never started. `docker run aims serve --help` lists all settings.

FROM rust:1-bookworm AS build
WORKDIR /build
# Dependencies first, with empty sources: this layer lasts until Cargo.toml or Cargo.lock change.
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src tests/api benches \
    && touch src/lib.rs tests/api/main.rs benches/load.rs \
    && echo 'fn main() {}' > src/main.rs \
    && cargo build --release --locked
COPY . .
# Copied files keep their dates; without newer ones cargo would keep the empty program.
RUN touch src/lib.rs src/main.rs \
    && cargo build --release --locked

FROM debian:bookworm-slim
# postgresql-common comes first and is told to make no cluster of its own when the server follows.
RUN apt-get update \
    && export DEBIAN_FRONTEND=noninteractive \
    && apt-get install --yes --no-install-recommends ca-certificates tzdata postgresql-common \
    && sed -ri 's/^#?create_main_cluster .*$/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf \
    && apt-get install --yes --no-install-recommends postgresql-15 \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin aims \
    && install -d -m 0700 -o aims -g aims /var/lib/aims
COPY --from=build /build/target/release/aims /usr/local/bin/aims

USER aims
WORKDIR /home/aims
# PUBLIC_URL is where clients reach the API; the default fits the first line above only.
ENV AIMS_DATA=/var/lib/aims \
    BIND=0.0.0.0:8042 \
    PUBLIC_URL=http://localhost:8042
VOLUME /var/lib/aims
EXPOSE 8042
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["aims", "health"]
ENTRYPOINT ["aims"]
CMD ["serve"]
