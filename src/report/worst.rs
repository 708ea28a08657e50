//! The worst of many entries, in memory that does not grow with their number.

use std::collections::BinaryHeap;

/// An entry with its place: by rank, then by the order in which the entries came.
#[derive(Debug)]
struct Placed<R, T> {
    place: (R, u64),
    entry: T,
}

/// Keeps those with the lowest ranks, and counts the others.
#[derive(Debug)]
pub(super) struct Worst<R, T> {
    most: usize,
    /// The best of those that are kept is on top.
    kept: BinaryHeap<Placed<R, T>>,
    seen: u64,
}

impl<R: Ord, T> Worst<R, T> {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            kept: BinaryHeap::new(),
            seen: 0,
        }
    }

    pub(super) fn add(&mut self, rank: R, entry: T) {
        let place = (rank, self.seen);
        self.seen += 1;
        if self.kept.len() == self.most {
            match self.kept.peek() {
                Some(best) if place < best.place => self.kept.pop(),
                _ => return,
            };
        }
        self.kept.push(Placed { place, entry });
    }

    /// How many there are in all.
    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    /// The worst first.
    pub(super) fn into_entries(self) -> impl Iterator<Item = T> {
        let sorted = self.kept.into_sorted_vec();
        sorted.into_iter().map(|placed| placed.entry)
    }
}

impl<R: Ord, T> Ord for Placed<R, T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.place.cmp(&other.place)
    }
}

impl<R: Ord, T> PartialOrd for Placed<R, T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<R: Ord, T> PartialEq for Placed<R, T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<R: Ord, T> Eq for Placed<R, T> {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Worst;

    proptest! {
        #[test]
        fn what_is_kept_is_the_beginning_of_a_stable_sort(
            ranks in proptest::collection::vec(0_u8..6, 0..60),
            most in 0_usize..20,
        ) {
            let mut worst = Worst::new(most);
            let mut all = Vec::new();
            for (number, rank) in ranks.into_iter().enumerate() {
                worst.add(rank, number);
                all.push((rank, number));
            }
            all.sort();
            prop_assert_eq!(worst.seen(), u64::try_from(all.len()).unwrap());
            let expected: Vec<_> = all.into_iter().map(|(_, number)| number).take(most).collect();
            prop_assert_eq!(worst.into_entries().collect::<Vec<_>>(), expected);
        }
    }
}
