//! A real `leasehold serve` process, and a user of its command line beside it.

use std::{
    net::SocketAddr,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    process::{Child, Command},
    sync::watch,
};

use crate::{place::Place, user::Ran};

/// Far longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A node that serves.
pub(crate) struct Node {
    child: Child,
    log: Log,
    pub(crate) grpc: SocketAddr,
    pub(crate) console: SocketAddr,
    pub(crate) operations: SocketAddr,
}

/// The lines that a node has logged so far.
#[derive(Clone)]
struct Log {
    lines: Arc<Mutex<Vec<Value>>>,
    grown: watch::Receiver<usize>,
}

impl Log {
    fn of(child: &mut Child) -> Self {
        let mut reading = BufReader::new(child.stderr.take().unwrap()).lines();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (grow, grown) = watch::channel(0);
        let kept = lines.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = reading.next_line().await {
                let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
                let count = {
                    let mut kept = kept.lock().unwrap();
                    kept.push(line);
                    kept.len()
                };
                grow.send_replace(count);
            }
        });
        Self { lines, grown }
    }

    /// The `nth` line, from 1, whose message has this in it, once it is there.
    async fn line(&self, message: &str, nth: usize) -> Value {
        let mut grown = self.grown.clone();
        let found = async {
            loop {
                let found = {
                    let lines = self.lines.lock().unwrap();
                    lines.iter().filter(|line| says(line, message)).nth(nth - 1).cloned()
                };
                if let Some(line) = found {
                    return line;
                }
                if grown.changed().await.is_err() {
                    panic!("the log ended without {message:?}: {:#?}", self.lines.lock().unwrap());
                }
            }
        };
        match tokio::time::timeout(PATIENCE, found).await {
            Ok(line) => line,
            Err(_) => panic!("nothing logged {message:?}: {:#?}", self.lines.lock().unwrap()),
        }
    }
}

fn says(line: &Value, message: &str) -> bool {
    let said = line["fields"]["message"].as_str().or(line.as_str());
    said.is_some_and(|said| said.contains(message))
}

impl Node {
    /// Starts a node as the place's configuration says, and waits until it serves.
    pub(crate) async fn start(place: &Place) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_leasehold"))
            .args(["serve", "--config", "leasehold.toml"])
            .env_clear()
            .current_dir(place.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let log = Log::of(&mut child);
        let serving = log.line("serving", 1).await;
        let address = |name: &str| serving["fields"][name].as_str().unwrap().parse().unwrap();
        let (grpc, console, operations) = (address("grpc"), address("console"), address("operations"));
        Self { child, log, grpc, console, operations }
    }

    /// The `nth` line of its log, from 1, whose message has this in it, once it is there.
    pub(crate) async fn logged(&self, message: &str, nth: usize) -> Value {
        self.log.line(message, nth).await
    }

    /// All that it has logged so far.
    pub(crate) fn log_so_far(&self) -> Vec<Value> {
        self.log.lines.lock().unwrap().clone()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(mut self) -> ExitStatus {
        tokio::time::timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap()
    }

    /// Ends it in order.
    pub(crate) async fn stopped(self) {
        self.signal(Signal::TERM);
        assert_eq!(self.ended().await.code(), Some(0));
    }

    /// The value of a metric without labels.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let text = self.operations("/metrics").await;
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).trim().parse().unwrap()
    }

    /// What the port for operators answers.
    pub(crate) async fn operations(&self, path: &str) -> String {
        let mut socket = TcpStream::connect(self.operations).await.unwrap();
        let ask = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        socket.write_all(ask.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// Runs the command line against it in the place's folder, with profiles that are kept there.
    pub(crate) async fn user(&self, place: &Place, arguments: &str) -> Ran {
        let address = format!("https://localhost:{}", self.grpc.port());
        run(place, arguments, &[("LEASEHOLD_ADDRESS", &address), ("LEASEHOLD_CA_FILE", "ca.pem")]).await
    }

    /// The same, which has to succeed; answers with what was printed.
    pub(crate) async fn done(&self, place: &Place, arguments: &str) -> String {
        let ran = self.user(place, arguments).await;
        assert_eq!(ran.exit, 0, "{arguments}: {}{}", ran.stdout, ran.stderr);
        ran.stdout
    }

    /// Makes the first administrator, whose profile is `admin`.
    pub(crate) async fn found(&self, place: &Place) {
        self.done(place, "login --bootstrap-file data/bootstrap --name ada").await;
    }
}

/// Runs the program in the place's folder.
pub(crate) async fn run(place: &Place, arguments: &str, environment: &[(&str, &str)]) -> Ran {
    let running = Command::new(env!("CARGO_BIN_EXE_leasehold"))
        .env_clear()
        .envs(environment.iter().copied())
        .env("LEASEHOLD_CONFIG", place.path("profiles.toml"))
        .current_dir(place.folder())
        .args(arguments.split_whitespace())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, running).await.unwrap().unwrap();
    Ran {
        exit: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The credential that a profile holds.
pub(crate) fn credential(place: &Place, profile: &str) -> String {
    let text = std::fs::read_to_string(place.path("profiles.toml")).unwrap();
    let profiles: toml::Table = text.parse().unwrap();
    profiles[profile]["credential"].as_str().unwrap().to_owned()
}
