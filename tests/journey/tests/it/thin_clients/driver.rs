//! The clients of `crates/client/python` and `crates/client/typescript` as programs: built from their sources, and told what to do over a pipe.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use leasehold_interop::{Tool, Toolchain, made_once, npm_packages, python_packages};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

/// How long a program may take to answer anything.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// What is made of the sources where somebody builds in place.
const MADE: [&str; 4] = ["build", "leasehold", "node_modules", "__pycache__"];

/// The folder of a client's sources.
fn sources(language: &str) -> PathBuf {
    root().join("crates/client").join(language)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Everything that the client is made of, in an order of its own.
fn texts(language: &str) -> Vec<String> {
    let mut files = Vec::new();
    collect(&sources(language), &MADE, &mut files);
    collect(&root().join("proto"), &[], &mut files);
    files.sort();
    let mut texts = Vec::new();
    for file in files {
        texts.push(file.display().to_string());
        texts.push(fs::read_to_string(&file).unwrap());
    }
    texts
}

/// The files of a folder, but for those that stand in it by one of these names.
fn collect(folder: &Path, left_out: &[&str], files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if left_out.iter().any(|name| path.ends_with(name)) {
            continue;
        }
        if path.is_dir() { collect(&path, &["__pycache__"], files) } else { files.push(path) }
    }
}

async fn made(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().await.map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

async fn made_of(
    language: &str,
    beside: &Path,
    make: impl AsyncFnOnce(&Path) -> Result<(), String>,
) -> PathBuf {
    let texts = texts(language);
    let parts: Vec<&str> = texts.iter().map(String::as_str).collect();
    made_once(beside, &parts, make).await.unwrap()
}

/// Python, with the client, its packages and its stubs on the path.
pub(super) async fn python(tools: &Toolchain) -> Command {
    let interpreter = tools.path(Tool::Python).unwrap();
    let lock = fs::read_to_string(sources("python").join("requirements.lock")).unwrap();
    let packages = python_packages(tools, &lock).await.unwrap();
    let stubs = made_of("python", &packages, async |out| {
        let mut command = Command::new(interpreter);
        command.env("PYTHONPATH", &packages).arg("-B").arg(sources("python").join("generate.py")).arg(out);
        made(&mut command).await
    })
    .await;
    let path = std::env::join_paths([packages, stubs, sources("python")]).unwrap();
    let mut command = Command::new(interpreter);
    command.env("PYTHONPATH", path).arg("-B").current_dir(sources("python"));
    command
}

/// Node, in the folder that the client was built into.
pub(super) async fn typescript(tools: &Toolchain) -> Command {
    let node = tools.path(Tool::Node).unwrap();
    let read = |name: &str| fs::read_to_string(sources("typescript").join(name)).unwrap();
    let packages = npm_packages(tools, &read("package.json"), &read("package-lock.json")).await.unwrap();
    let built = made_of("typescript", &packages, async |out| {
        let mut command = Command::new(node);
        command.arg(sources("typescript").join("generate.mjs")).arg(out);
        made(&mut command).await
    })
    .await;
    let mut command = Command::new(node);
    command.current_dir(built);
    command
}

/// A client that does what it is told.
pub(super) struct Driver {
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Driver {
    /// Starts `program` against a cluster, and waits until it hears pushes.
    pub(super) async fn start(mut command: Command, program: &str, address: &str, credential: &str) -> Self {
        command.arg(program).arg(address).env("LEASEHOLD_CREDENTIAL", credential).kill_on_drop(true);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut driver = Self { input, output: BufReader::new(output).lines(), _child: child };
        driver.ask(&serde_json::json!({ "do": "watching" })).await;
        driver
    }

    /// Tells it something.
    pub(super) async fn tell(&mut self, order: &Value) {
        self.input.write_all(format!("{order}\n").as_bytes()).await.unwrap();
    }

    /// What it answers to what it was told.
    pub(super) async fn answer(&mut self) -> Value {
        let line = timeout(ANSWER_MAX, self.output.next_line()).await.unwrap().unwrap();
        serde_json::from_str(&line.unwrap()).unwrap()
    }

    /// Tells it something, and waits for its answer.
    pub(super) async fn ask(&mut self, order: &Value) -> Value {
        self.tell(order).await;
        self.answer().await
    }
}
