//! What fits one entry.
//!
//! Apply must stay within what the ledger writes for one entry whatever the state: so an entry is cut not only by its bytes
//! but by the events that its proposals could raise at worst.

/// Most proposals of one entry.
pub const PROPOSALS_MAX: usize = leasehold_codec::batch::PROPOSALS_MAX;
/// Most encoded bytes of one entry.
pub const ENTRY_LEN_MAX: usize = 128 << 10;
/// Most events that the proposals of one entry may raise together.
pub const EVENTS_MAX: usize = 256;

/// What a proposal takes of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Weight {
    /// Encoded bytes of a batch of this proposal alone, which is no less than it adds to a larger one.
    pub(crate) bytes: usize,
    /// Most events that it may raise.
    pub(crate) events: usize,
}

impl Weight {
    /// Whether an entry could hold it at all.
    pub(crate) fn fits_alone(self) -> bool {
        Basket::<()>::default().has_room(self)
    }
}

/// The proposals of one entry in the making.
pub(crate) struct Basket<T> {
    items: Vec<T>,
    bytes: usize,
    events: usize,
}

impl<T> Default for Basket<T> {
    fn default() -> Self {
        Self { items: Vec::new(), bytes: 0, events: 0 }
    }
}

impl<T> Basket<T> {
    pub(crate) fn has_room(&self, weight: Weight) -> bool {
        self.items.len() < PROPOSALS_MAX
            && self.bytes.saturating_add(weight.bytes) <= ENTRY_LEN_MAX
            && self.events.saturating_add(weight.events) <= EVENTS_MAX
    }

    /// Puts an item in, for which there must be room.
    pub(crate) fn add(&mut self, item: T, weight: Weight) {
        assert!(self.has_room(weight), "an entry must never outgrow what apply is sized for");
        self.items.push(item);
        self.bytes += weight.bytes;
        self.events += weight.events;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(crate) fn into_items(self) -> Vec<T> {
        self.items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(weight: Weight) -> usize {
        let mut basket = Basket::default();
        let mut count = 0;
        while basket.has_room(weight) {
            basket.add(count, weight);
            count += 1;
        }
        assert_eq!(basket.into_items().len(), count);
        count
    }

    #[test]
    fn an_entry_takes_no_more_than_its_count_of_proposals() {
        assert_eq!(filled(Weight { bytes: 1, events: 0 }), PROPOSALS_MAX);
    }

    #[test]
    fn an_entry_takes_no_more_events_than_the_ledger_allows() {
        assert_eq!(filled(Weight { bytes: 1, events: 64 }), EVENTS_MAX / 64);
        assert_eq!(filled(Weight { bytes: 1, events: 100 }), 2);
    }

    #[test]
    fn an_entry_takes_no_more_bytes_than_it_may_have() {
        assert_eq!(filled(Weight { bytes: 1000, events: 1 }), 131);
        assert_eq!(filled(Weight { bytes: ENTRY_LEN_MAX, events: 1 }), 1);
    }

    #[test]
    fn a_proposal_that_no_entry_could_hold_is_known_beforehand() {
        assert!(Weight { bytes: ENTRY_LEN_MAX, events: EVENTS_MAX }.fits_alone());
        assert!(!Weight { bytes: ENTRY_LEN_MAX + 1, events: 1 }.fits_alone());
        assert!(!Weight { bytes: 1, events: EVENTS_MAX + 1 }.fits_alone());
        assert!(!Weight { bytes: usize::MAX, events: 1 }.fits_alone());
    }
}
