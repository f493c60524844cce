//! A node in a process of its own, with the layer under it, and what its clients were promised.

use std::process::ExitStatus;

use anyhow::{Context, ensure};
use leasehold_disk::{
    folder::Folder,
    layer::{Layer, Rule},
    story::{Node, READ, Story, export},
};
use leasehold_journey::{Apart, table::Table};

/// The table in tests/README.md.
pub(crate) const TABLE: Table = Table::new("disk", &["what happens", "to", "when", "outcome"]);

/// All of it.
pub(crate) struct Scene {
    pub(crate) apart: Apart,
    pub(crate) layer: Layer,
    pub(crate) story: Story,
}

impl Scene {
    /// A node that was furnished, has a grant of Alice's, and was stopped in order.
    pub(crate) async fn stopped() -> anyhow::Result<Self> {
        let mut apart = Apart::start().await?;
        apart.alice_consents(&READ).await?;
        let ended = apart.terminate().await?;
        ensure!(ended.success(), "{ended}");
        let layer = Layer::over(&apart.data(), apart.folder())?;
        Ok(Self { apart, layer, story: Story::default() })
    }

    /// Starts the node under the layer, with these rules.
    pub(crate) async fn start(&mut self, rules: &[Rule<'_>]) -> anyhow::Result<()> {
        let environment = self.layer.next(rules)?;
        self.apart.start_again(&borrowed(&environment)).await
    }

    /// Starts the node under the layer, with these rules, of which one is to end it before it is ready.
    pub(crate) async fn start_in_vain(&mut self, rules: &[Rule<'_>]) -> anyhow::Result<ExitStatus> {
        let environment = self.layer.next(rules)?;
        self.apart.spawn(&borrowed(&environment))?;
        self.apart.ended().await
    }

    /// So many rounds of calls, with so many consents among them, or fewer if the node goes away.
    pub(crate) async fn load(&mut self, rounds: usize, consents: usize) -> anyhow::Result<Node> {
        for round in 0..rounds.max(consents) {
            if round < consents && self.story.consent(&self.apart, &self.layer).await == Node::Gone {
                return Ok(Node::Gone);
            }
            if round < rounds && self.story.round(&self.apart, &self.layer).await == Node::Gone {
                return Ok(Node::Gone);
            }
        }
        Ok(Node::Answers)
    }

    /// Starts the node without the layer, on a disk that does what it is told: every promise is kept, and it goes on.
    pub(crate) async fn mended(&mut self) -> anyhow::Result<()> {
        self.apart.start_again(&[]).await.context("on a healthy disk")?;
        let lines = export(&self.apart).await?;
        self.story.is_kept(&lines, u64::MAX, true)?;
        ensure!(
            self.story.round(&self.apart, &self.layer).await == Node::Answers,
            "it does not go on:\n{}",
            self.apart.log()
        );
        Ok(())
    }

    /// The data folder, read.
    pub(crate) fn folder(&self) -> anyhow::Result<Folder> {
        Folder::read(&self.apart.data())
    }

    pub(crate) async fn stop_in_order(&mut self) -> anyhow::Result<()> {
        let ended = self.apart.terminate().await?;
        ensure!(ended.success(), "{ended}:\n{}", self.apart.log());
        Ok(())
    }

    /// Ends the sandbox, and the node where it runs.
    pub(crate) async fn end(self) -> anyhow::Result<()> {
        self.apart.stop().await
    }
}

pub(crate) fn borrowed(environment: &[(String, String)]) -> Vec<(&str, &str)> {
    environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}
