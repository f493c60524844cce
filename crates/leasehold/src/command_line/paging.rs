//! Lists that come in pages.

use clap::Args;
use leasehold_client::v1::AsOf;

use super::failure::Failure;

/// The largest page that the interface gives.
const PAGE_SIZE_MAX: u32 = 500;

/// How much of a list is asked for.
#[derive(Debug, Args)]
pub(super) struct Paging {
    /// How many to list at most
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000), value_name = "N")]
    limit: u32,
}

/// A page: what is on it, and what it speaks of.
pub(super) struct Page<Item> {
    pub(super) items: Vec<Item>,
    pub(super) as_of: Option<AsOf>,
}

impl Paging {
    /// Fetches page after page, until the list or the limit ends. `fetch` takes a page's size and its mark.
    pub(super) async fn all<Item>(
        &self,
        mut fetch: impl AsyncFnMut(u32, String) -> Result<Page<Item>, Failure>,
    ) -> Result<Page<Item>, Failure> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let mut all = Page { items: Vec::new(), as_of: None };
        let mut mark = String::new();
        loop {
            let left = u32::try_from(limit.saturating_sub(all.items.len())).unwrap_or(u32::MAX);
            let page = fetch(left.min(PAGE_SIZE_MAX), mark).await?;
            let next = page.as_of.as_ref().map_or_else(String::new, |as_of| as_of.next_page.clone());
            let empty = page.items.is_empty();
            all.items.extend(page.items);
            all.as_of = join(all.as_of, page.as_of);
            if next.is_empty() || all.items.len() >= limit {
                return Ok(all);
            }
            if empty {
                return Err(Failure::local(
                    "read the next page",
                    "MALFORMED_ANSWER",
                    "an empty page names a next one",
                ));
            }
            mark = next;
        }
    }
}

/// What several pages speak of together: what all of them do, and whether the last one ends the list.
fn join(before: Option<AsOf>, page: Option<AsOf>) -> Option<AsOf> {
    match (before, page) {
        (Some(before), Some(page)) => Some(AsOf { size: before.size.min(page.size), ..page }),
        (before, page) => page.or(before),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages over 0..1200, the first as of 10 events and the others as of 12.
    async fn list(limit: u32) -> (Page<u32>, Vec<u32>) {
        let mut asked = Vec::new();
        let fetch = async |size: u32, mark: String| {
            asked.push(size);
            let from: u32 = mark.parse().unwrap_or(0);
            let end = (from + size).min(1200);
            let next_page = if end < 1200 { end.to_string() } else { String::new() };
            let as_of = AsOf { size: if from == 0 { 10 } else { 12 }, complete: end == 1200, next_page };
            Ok(Page { items: (from..end).collect(), as_of: Some(as_of) })
        };
        let all = Paging { limit }.all(fetch).await.unwrap();
        (all, asked)
    }

    #[tokio::test]
    async fn pages_are_joined_until_the_list_ends() {
        let (all, asked) = list(5000).await;
        assert_eq!(all.items, (0..1200).collect::<Vec<_>>());
        assert_eq!(asked, [500, 500, 500]);
        let as_of = all.as_of.unwrap();
        assert_eq!((as_of.size, as_of.complete), (10, true));
    }

    #[tokio::test]
    async fn the_limit_ends_the_list_and_the_answer_says_so() {
        let (all, asked) = list(600).await;
        assert_eq!((all.items.len(), asked), (600, vec![500, 100]));
        assert!(!all.as_of.unwrap().complete);
    }

    #[tokio::test]
    async fn a_list_that_does_not_move_on_is_given_up() {
        let fetch = async |_: u32, _: String| {
            let as_of = AsOf { size: 1, complete: false, next_page: "again".to_owned() };
            Ok(Page::<u32> { items: Vec::new(), as_of: Some(as_of) })
        };
        assert!(Paging { limit: 10 }.all(fetch).await.is_err());
    }
}
