//! `leasehold man`: manual pages, from the same definitions as the commands themselves.

use std::{fs, path::PathBuf};

use clap::{Args, CommandFactory as _};
use clap_mangen::Man;

use super::{
    CommandLine,
    context::Context,
    failure::{During as _, Failure},
};

/// Print the manual page, or write those of all commands
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  leasehold man | man -l -\n  leasehold man --out ~/.local/share/man/man1")]
pub(crate) struct ManArgs {
    /// The folder to write one page for each command to
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl ManArgs {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let attempted = "write manual pages";
        let Some(folder) = self.out else {
            let mut page = Vec::new();
            Man::new(CommandLine::command()).render(&mut page).during(attempted)?;
            return context.output.raw(&page);
        };
        fs::create_dir_all(&folder).during(attempted)?;
        clap_mangen::generate_to(CommandLine::command(), &folder).during(attempted)
    }
}
