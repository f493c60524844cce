//! A node that is given much to write, with small bounds, so that it soon flushes, cuts segments, takes snapshots and purges its log.

use std::collections::BTreeSet;

use anyhow::ensure;
use leasehold_journey::Apart;
use leasehold_proto::v1::{
    ListSubjectsRequest, RegisterSubjectRequest, SubjectKind, subject_service_client::SubjectServiceClient,
};
use tonic::{Code, Status};

/// Small bounds: segments of 32 KiB, snapshots every 48 KiB, and eight entries kept below one.
pub const SMALL: [(&str, &str); 3] = [
    ("LEASEHOLD_TEST_SEGMENT_BYTES", "32768"),
    ("LEASEHOLD_TEST_SNAPSHOT_BYTES", "49152"),
    ("LEASEHOLD_TEST_ENTRIES_KEPT", "8"),
];
/// The most subjects that are registered while something is waited for.
const SUBJECTS_MAX: u32 = 4000;

/// The subjects whose registration was acknowledged.
#[derive(Default)]
pub struct Acknowledged {
    names: BTreeSet<String>,
    next: u32,
}

impl Acknowledged {
    /// Registers another one. Its name counts only once the node has said that it has it.
    ///
    /// # Errors
    /// What the node answers.
    pub async fn register(&mut self, node: &Apart) -> Result<(), Status> {
        let name = format!("person-{}", self.next);
        self.next += 1;
        let request = RegisterSubjectRequest {
            user_name: name.clone(),
            kind: SubjectKind::Person.into(),
            email: format!("{name}@example.com"),
            display_name: "A person whose name takes its room in the log, as names do".to_owned(),
            ..RegisterSubjectRequest::default()
        };
        SubjectServiceClient::new(node.admin()).register(request).await?;
        self.names.insert(name);
        Ok(())
    }

    /// Registers until the node has ended or `enough` says so.
    ///
    /// # Errors
    /// Where neither happens for very long.
    pub async fn register_until(
        &mut self,
        node: &Apart,
        mut enough: impl FnMut() -> bool,
    ) -> anyhow::Result<()> {
        for _ in 0..SUBJECTS_MAX {
            if enough() {
                return Ok(());
            }
            match self.register(node).await {
                Ok(()) => {}
                // The node has ended: nobody is there to say anything else.
                Err(ended)
                    if matches!(
                        ended.code(),
                        Code::Unavailable | Code::Unknown | Code::Cancelled | Code::Internal
                    ) =>
                {
                    return Ok(());
                }
                Err(refused) => return Err(refused.into()),
            }
        }
        anyhow::bail!("{SUBJECTS_MAX} subjects were registered, and what was waited for did not come")
    }

    /// Every one of them is there, and at most one more: the one that was on its way when the node ended.
    ///
    /// # Errors
    /// Which one is not.
    pub async fn all_there(&self, node: &Apart) -> anyhow::Result<()> {
        let (mut there, mut page) = (BTreeSet::new(), String::new());
        loop {
            let request = ListSubjectsRequest { page_size: 500, page };
            let listed = SubjectServiceClient::new(node.admin()).list(request).await?.into_inner();
            there.extend(listed.subjects.into_iter().map(|subject| subject.user_name));
            page = listed.as_of.unwrap_or_default().next_page;
            if page.is_empty() {
                break;
            }
        }
        let lost: Vec<&String> = self.names.difference(&there).collect();
        ensure!(lost.is_empty(), "acknowledged and lost: {lost:?}");
        let more =
            there.iter().filter(|name| name.starts_with("person-") && !self.names.contains(*name)).count();
        ensure!(more <= 1, "{more} subjects are there that nobody was told of");
        Ok(())
    }
}
