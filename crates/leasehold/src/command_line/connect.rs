//! `leasehold connect`: starts a consent, and hands out the URL for the person.

use std::process::{Command, Stdio};

use clap::Args;
use leasehold_client::{
    Client,
    v1::{
        AuthorizationPhase, StartAuthorizationRequest, StartAuthorizationResponse, WaitAuthorizationRequest,
    },
};
use tokio::time::Instant;

use super::{
    context::{Context, ask},
    failure::{During as _, Failure, incomplete},
    grant,
    progress::{Progress, tell},
    record::Record,
    shared::Repeat,
    view::printable,
};

/// How long one poll waits. Less than any proxy's patience.
const POLL_SECONDS: u32 = 25;

/// Start a consent, and print the URL to send the person to
///
/// The URL carries no secret and grants nothing without the right person's sign-in. With --wait, the answer is the grant.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leasehold connect --connector sandbox --subject alice --mcp-server files\n  leasehold connect --connector sandbox --subject alice --mcp-server files --open --wait"
)]
pub(crate) struct ConnectArgs {
    /// The connector: its name or id
    #[arg(long)]
    connector: String,
    /// Who is to consent: a subject's id or user name
    #[arg(long)]
    subject: String,
    /// The MCP server that it is for: its name or id
    #[arg(long)]
    mcp_server: String,
    /// A scope to ask for; what the MCP server needs where none is named
    #[arg(long = "scope", value_delimiter = ' ', value_name = "SCOPE")]
    scopes: Vec<String>,
    /// Open the URL in this machine's browser
    #[arg(long)]
    open: bool,
    /// Wait until the consent ends, and fail if it ends without a grant
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    repeat: Repeat,
}

impl ConnectArgs {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client().await?;
        let request = StartAuthorizationRequest {
            connector: self.connector,
            subject: self.subject,
            mcp_server: self.mcp_server,
            scopes: self.scopes,
            request_id: self.repeat.request_id,
        };
        let started = client.grants().start_authorization(ask(request)).await.during("start the consent")?;
        if self.open {
            open(&started.connect_url)?;
        }
        if self.wait {
            // Not in the answer, which is the grant, but nobody could go there if it were said nowhere.
            tell(&format!("waiting for the consent at {}", printable(&started.connect_url)));
            return wait(context, &client, started.authorization).await;
        }
        print(context, started)
    }
}

fn print(context: &Context, started: StartAuthorizationResponse) -> Result<(), Failure> {
    if context.output.is_table() {
        return context.output.raw(format!("{}\n", printable(&started.connect_url)).as_bytes());
    }
    let record = Record::default()
        .with("authorization", started.authorization)
        .with("connect_url", started.connect_url)
        .with("expires_at", started.expires_at);
    context.output.one(&record)
}

/// Polls until the consent ends.
async fn wait(context: &Context, client: &Client, authorization: String) -> Result<(), Failure> {
    let attempted = "wait for the consent";
    let mut progress = Progress::new();
    let began = Instant::now();
    loop {
        let request =
            WaitAuthorizationRequest { authorization: authorization.clone(), wait_seconds: POLL_SECONDS };
        let mut request = ask(request);
        request.set_timeout(std::time::Duration::from_secs(u64::from(POLL_SECONDS) + 15));
        let answer = client.grants().wait_authorization(request).await.during(attempted)?;
        let doing = match answer.phase() {
            AuthorizationPhase::Granted => {
                drop(progress);
                let granted = answer.grant.ok_or_else(|| incomplete(attempted, "grant"))?;
                return context.output.one(&grant::record(granted));
            }
            AuthorizationPhase::Ended => {
                let reason = if answer.reason.is_empty() { "ENDED" } else { &answer.reason };
                return Err(Failure::local("get a grant", reason, "the consent ended without one")
                    .and_next("start another with `leasehold connect`"));
            }
            AuthorizationPhase::InProgress => "the person is at the provider, or confirms the account",
            AuthorizationPhase::Open | AuthorizationPhase::Unspecified => "the person has not come yet",
        };
        progress.show(|| format!("{doing} ({} s)", began.elapsed().as_secs()));
    }
}

/// Opens a URL with what this machine opens URLs with. It is an argument to another program, so only a URL is passed on.
fn open(url: &str) -> Result<(), Failure> {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    if !url.starts_with("https://") && !url.starts_with("http://") {
        return Err(Failure::local("open the URL", "MALFORMED_ANSWER", "it is no http URL"));
    }
    let spawned = Command::new(opener)
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    spawned.map(drop).map_err(|error| {
        Failure::io(format!("open the URL with {opener}"), &error)
            .and_next(format!("open it yourself: {url}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_a_url_is_handed_to_the_browser() {
        for bad in ["--help", "file:///etc/passwd", "javascript:alert(1)", ""] {
            assert_eq!(open(bad).unwrap_err().code(), "MALFORMED_ANSWER", "{bad}");
        }
    }
}
