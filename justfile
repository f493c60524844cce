# Recipes wrap cargo; everything they do can be typed by hand.

# Start the product: one node and a sandbox, on loopback.
dev *ARGS:
    cargo run --release -- dev {{ARGS}}

# Walk the whole journey against real processes.
demo:
    cargo run --release -- dev --demo

# Run every test.
test:
    cargo test --workspace

# What CI runs. Writes nothing into the tree.
check:
    .ci/run

# What may be mended by a tool.
fix:
    cargo fmt --all
    cargo clippy --workspace --all-targets --fix --allow-dirty --allow-staged

# The long form of the slow suites: more seeds for property tests.
test-long:
    PROPTEST_CASES=10000 cargo test --workspace --profile long

# Look for every planted secret in every place and play the threat model, then write what was found into tests/README.md.
secrets:
    rm -rf target/tables/canaries
    cargo build --package leasehold
    cargo test --package leasehold-secrets
    cargo run --package leasehold-journey --bin table -- write canaries tests/README.md

# End the node at every failpoint, compare it with what its provider saw, and write the table in tests/README.md. Three minutes.
crash:
    rm -rf target/tables/crash
    cargo build --package leasehold --package leasehold-journey --features leasehold/failpoints
    cargo test --package leasehold-crash
    target/debug/table write crash tests/README.md

# Produce the tables of tests/README.md anew: failpoint and outcome, disk fault and outcome, canary and place searched. Ten minutes.
tables:
    rm -rf target/tables
    cargo build --package leasehold --package leasehold-journey --features leasehold/failpoints
    cargo test --package leasehold-crash --package leasehold-disk --package leasehold-secrets
    target/debug/table write crash tests/README.md
    target/debug/table write disk tests/README.md
    target/debug/table write canaries tests/README.md

# Look for inputs that break a parser, for so many seconds a target. What is found lies in tests/fuzz/found.
fuzz SECONDS:
    LEASEHOLD_FUZZ_SECONDS={{SECONDS}} cargo test --release -p leasehold-fuzz --test it
    LEASEHOLD_FUZZ_SECONDS={{SECONDS}} cargo test --release -p leasehold-api --lib strict
    LEASEHOLD_FUZZ_SECONDS={{SECONDS}} cargo test --release -p leasehold-console --lib state_cookie
    LEASEHOLD_FUZZ_SECONDS={{SECONDS}} cargo test --release -p leasehold --lib verify

# Write the golden files of the codec again, after a change that is meant. Review the difference.
golden:
    LEASEHOLD_GOLDEN=write cargo test -p leasehold-codec

# Measure one node beside etcd, PostgreSQL, the disk and an empty call, in turns. Peers that are not installed are named and left out. Some minutes.
bench *ARGS:
    cargo build --release --package leasehold --package leasehold-bench
    cargo run --release --package leasehold-bench -- {{ARGS}}

# Disk faults on one node, the long form: thousands of damaged files and of images after a loss of power. A seed of its own, which a failure names.
faults-disk SEED=`od -An -N4 -tu4 /dev/urandom | tr -d ' '`:
    cargo build --package leasehold
    LEASEHOLD_DISK_LONG=1 LEASEHOLD_SEED={{SEED}} cargo test --package leasehold-disk -- --nocapture

# Write the table of what disk faults come to, as the suite finds it, into tests/README.md.
table-disk:
    rm -rf target/tables/disk
    cargo build --package leasehold --package leasehold-journey
    cargo test --package leasehold-disk
    target/debug/table write disk tests/README.md
