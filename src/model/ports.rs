//! Sets of ports, as closed intervals.

use std::fmt;

/// The number of ports that there are: 0 to 65535.
pub const ALL_PORTS: u32 = 65_536;

/// A set of ports: closed intervals, ascending, neither overlapping nor adjoining.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PortSet(Vec<(u16, u16)>);

/// The ports of a range, clipped to those that there are; nothing when it is empty or lies outside.
#[must_use]
pub fn clip(from: i64, to: i64) -> Option<(u16, u16)> {
    let first = u16::try_from(from.max(0)).ok()?;
    let last = u16::try_from(to.min(i64::from(u16::MAX))).ok()?;
    (first <= last).then_some((first, last))
}

/// The number of ports in an interval.
#[must_use]
pub fn width((first, last): (u16, u16)) -> u32 {
    u32::from(last) - u32::from(first) + 1
}

impl PortSet {
    /// Every port.
    #[must_use]
    pub fn all() -> Self {
        Self(vec![(0, u16::MAX)])
    }

    #[must_use]
    pub fn count(&self) -> u32 {
        self.0.iter().copied().map(width).sum()
    }

    /// Its intervals, ascending.
    #[must_use]
    pub fn intervals(&self) -> &[(u16, u16)] {
        &self.0
    }

    /// Whether every port of the other set is in this one.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        // An interval without a gap lies within one interval of a merged set, or in none.
        other.0.iter().all(|(first, last)| {
            let at = self.0.partition_point(|(_, end)| end < last);
            self.0.get(at).is_some_and(|(begin, _)| begin <= first)
        })
    }

    /// Whether it has no port.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(u16, u16)> for PortSet {
    /// The union of intervals, in any order.
    fn from_iter<I: IntoIterator<Item = (u16, u16)>>(intervals: I) -> Self {
        let mut sorted: Vec<_> = intervals.into_iter().collect();
        sorted.sort_unstable();
        let mut merged: Vec<(u16, u16)> = Vec::with_capacity(sorted.len());
        for (first, last) in sorted {
            match merged.last_mut() {
                Some((_, end)) if u32::from(first) <= u32::from(*end) + 1 => *end = last.max(*end),
                _ => merged.push((first, last)),
            }
        }
        Self(merged)
    }
}

impl fmt::Display for PortSet {
    /// `22, 1024-65535`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            if first == last {
                write!(formatter, "{comma}{first}")?;
            } else {
                write!(formatter, "{comma}{first}-{last}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_are_clipped_to_the_ports_that_there_are() {
        assert_eq!(clip(-5, 70_000), Some((0, 65_535)));
        assert_eq!(clip(80, 80), Some((80, 80)));
        for empty in [
            (81, 80),
            (-1, -1),
            (65_536, 70_000),
            (i64::MIN, -1),
            (i64::MAX, i64::MIN),
        ] {
            assert_eq!(clip(empty.0, empty.1), None, "{empty:?}");
        }
    }

    fn bits(intervals: &[(u16, u16)]) -> Vec<bool> {
        let mut bits = vec![false; 65_536];
        for &(first, last) in intervals {
            for port in first..=last {
                bits[usize::from(port)] = true;
            }
        }
        bits
    }

    prop_compose! {
        fn interval()(a in any::<u16>(), b in any::<u16>(), near in any::<bool>()) -> (u16, u16) {
            let b = if near { a.saturating_add(b % 5) } else { b };
            (a.min(b), a.max(b))
        }
    }

    proptest! {
        #[test]
        fn a_set_covers_what_it_has(one in prop::collection::vec(interval(), 0..5), other in prop::collection::vec(interval(), 0..3)) {
            let has_all = bits(&one).iter().zip(bits(&other)).all(|(has, wanted)| *has || !wanted);
            let (one, other): (PortSet, PortSet) = (one.into_iter().collect(), other.into_iter().collect());
            prop_assert_eq!(one.covers(&other), has_all);
        }

        #[test]
        fn a_union_has_the_ports_of_its_parts(intervals in prop::collection::vec(interval(), 0..12)) {
            let set: PortSet = intervals.iter().copied().collect();
            let expected = bits(&intervals);
            prop_assert_eq!(&bits(set.intervals()), &expected);
            prop_assert_eq!(set.count() as usize, expected.iter().filter(|bit| **bit).count());
            for part in &intervals {
                prop_assert!(set.covers(&[*part].into_iter().collect()));
            }
            for pair in set.intervals().windows(2) {
                prop_assert!(u32::from(pair[0].1) + 1 < u32::from(pair[1].0), "{:?} adjoin", pair);
            }
        }
    }
}
