//! `leasehold completions`: what shells complete, from the same definitions as the commands themselves.

use clap::{Args, CommandFactory as _};
use clap_complete::{Shell, generate};

use super::{CommandLine, context::Context, failure::Failure};

/// Print what a shell needs to complete commands
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leasehold completions bash > ~/.local/share/bash-completion/completions/leasehold\n  leasehold completions zsh > \"${fpath[1]}/_leasehold\""
)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl CompletionsArgs {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        context.output.raw(&script(self.shell))
    }
}

fn script(shell: Shell) -> Vec<u8> {
    let mut command = CommandLine::command();
    let mut script = Vec::new();
    generate(shell, &mut command, "leasehold", &mut script);
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_learns_nested_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell] {
            let script = String::from_utf8(script(shell)).unwrap();
            assert!(script.contains("retire-credential"), "{shell}");
        }
    }
}
