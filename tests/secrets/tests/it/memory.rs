//! The memory of a running node: no core dump holds it, and no other process may read it.

use std::{os::unix::fs::MetadataExt as _, process::Output};

use leasehold_secrets::{
    process,
    production::{KeyBy, Production},
};
use tokio::process::Command;

/// The user `nobody`.
const NOBODY: u32 = 65_534;

fn root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Runs a command as a user who is not root.
async fn as_somebody(arguments: &[&str]) -> Output {
    let (program, arguments) = arguments.split_first().unwrap();
    let mut command = Command::new(program);
    command.args(arguments).current_dir("/");
    if root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.output().await.unwrap()
}

async fn can_read(pid: u32, name: &str) -> bool {
    as_somebody(&["head", "-c", "1", &format!("/proc/{pid}/{name}")]).await.status.success()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_of_the_nodes_own_user_reads_neither_its_memory_nor_its_environment() {
    // Where the test is root, which may read everything, both are somebody else.
    let mut production = Production::start(KeyBy::Environment, root().then_some(NOBODY)).await.unwrap();
    let pid = production.pid().unwrap();
    for name in ["environ", "mem", "maps", "auxv"] {
        assert!(!can_read(pid, name).await, "another process of the same user reads {name}");
    }
    let listed = as_somebody(&["ls", &format!("/proc/{pid}/fd")]).await;
    assert!(!listed.status.success(), "another process of the same user lists the node's files");

    // The same process can read what another program lets it.
    let mut other = Command::new("sleep");
    other.arg("60").kill_on_drop(true);
    if root() {
        other.uid(NOBODY).gid(NOBODY);
    }
    let mut other = other.spawn().unwrap();
    assert!(can_read(other.id().unwrap(), "environ").await, "nothing can be read at all here");
    other.kill().await.unwrap();
    production.end_by("-TERM").await.unwrap();
    production.stop().await.unwrap();
}

#[tokio::test]
async fn a_program_that_does_not_forbid_it_leaves_a_core_dump_here() {
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    if pattern.starts_with('|') || pattern.contains('/') {
        println!(
            "core dumps go elsewhere here ({}), so that none in the folder proves little",
            pattern.trim()
        );
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let ended = Command::new("sh")
        .args(["-c", "ulimit -c unlimited; kill -ABRT $$"])
        .current_dir(folder.path())
        .status()
        .await
        .unwrap();
    assert!(!ended.success());
    assert!(
        !process::files(folder.path()).unwrap().is_empty(),
        "a core dump of a shell was not written either"
    );
}
