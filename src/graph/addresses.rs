//! Address ranges: how many public addresses some hold together.

use core::net::{Ipv4Addr, Ipv6Addr};

/// More public addresses than an IPv4 /8 has are the internet.
const MOST_V4: u128 = 1 << 24;
/// The same of an IPv6 /32.
const MOST_V6: u128 = 1 << 96;
/// Blocks that hold no public addresses: private, shared, loopback, link-local, documentation, benchmarks, multicast,
/// reserved. Source: <https://www.iana.org/assignments/iana-ipv4-special-registry>.
const NOT_PUBLIC_V4: [(Ipv4Addr, u8); 14] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];
/// All public IPv6 addresses are global unicast ones.
const GLOBAL_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
/// Of these, the documentation's are not. Source: <https://www.iana.org/assignments/iana-ipv6-special-registry>.
const NOT_PUBLIC_V6: [(Ipv6Addr, u8); 2] = [
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Addresses from the first to the last, as numbers.
pub(super) type Range = (u128, u128);

pub(super) const ALL_V4: Range = (0, u32::MAX as u128);
pub(super) const ALL_V6: Range = (0, u128::MAX);

pub(super) fn parse_v4(text: &str) -> Option<Range> {
    let (address, length) = text.split_once('/')?;
    let address: Ipv4Addr = address.parse().ok()?;
    let length: u8 = length.parse().ok().filter(|length| *length <= 32)?;
    Some(range_v4(address, length))
}

pub(super) fn parse_v6(text: &str) -> Option<Range> {
    let (address, length) = text.split_once('/')?;
    let length: u8 = length.parse().ok().filter(|length| *length <= 128)?;
    Some(range(
        u128::from(address.parse::<Ipv6Addr>().ok()?),
        length,
        128,
    ))
}

fn range_v4(address: Ipv4Addr, length: u8) -> Range {
    range(u128::from(u32::from(address)), length, 32)
}

/// The addresses of a block, whatever its address has behind the prefix.
fn range(address: u128, length: u8, bits: u8) -> Range {
    let host = u32::from(bits - length.min(bits));
    let hosts = 1_u128.checked_shl(host).map_or(u128::MAX, |size| size - 1);
    let first = address & !hosts;
    (first, first | hosts)
}

pub(super) fn is_internet_v4(ranges: &[Range]) -> bool {
    let not_public = NOT_PUBLIC_V4.map(|(address, length)| range_v4(address, length));
    public(ranges, &not_public) > MOST_V4
}

pub(super) fn is_internet_v6(ranges: &[Range]) -> bool {
    let (first, last) = range(u128::from(GLOBAL_V6.0), GLOBAL_V6.1, 128);
    let global = |&(from, to): &Range| {
        let (from, to) = (from.max(first), to.min(last));
        (from <= to).then_some((from, to))
    };
    let ranges: Vec<_> = ranges.iter().filter_map(global).collect();
    let not_public = NOT_PUBLIC_V6.map(|(address, length)| range(u128::from(address), length, 128));
    public(&ranges, &not_public) > MOST_V6
}

/// The number of addresses of these ranges that lie in none of the others, which do not overlap.
fn public(ranges: &[Range], not_public: &[Range]) -> u128 {
    let mut sorted = ranges.to_vec();
    sorted.sort_unstable();
    let mut merged: Vec<Range> = Vec::with_capacity(sorted.len());
    for (first, last) in sorted {
        match merged.last_mut() {
            Some((_, end)) if first <= *end => *end = last.max(*end),
            _ => merged.push((first, last)),
        }
    }
    let mut count = 0_u128;
    for (first, last) in merged {
        count = count.saturating_add((last - first).saturating_add(1));
        for (from, to) in not_public {
            let (from, to) = (first.max(*from), last.min(*to));
            if from <= to {
                count = count.saturating_sub((to - from).saturating_add(1));
            }
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Of blocks that are as large as can be counted one by one, in a small part of all addresses.
        #[test]
        fn public_addresses_are_counted_once(blocks in prop::collection::vec((0_u32..64, 26_u8..=32), 0..8)) {
            let base = u32::from(Ipv4Addr::new(198, 51, 99, 200));
            let ranges: Vec<_> = blocks.iter().map(|(at, length)| range_v4(Ipv4Addr::from(base + at * 8), *length)).collect();
            let hidden = NOT_PUBLIC_V4.map(|(address, length)| range_v4(address, length));
            let is_in = |number: u128, ranges: &[Range]| ranges.iter().any(|(first, last)| (*first..=*last).contains(&number));
            let expected = (u128::from(base) - 100..u128::from(base) + 1200).filter(|number| is_in(*number, &ranges) && !is_in(*number, &hidden)).count();
            prop_assert_eq!(public(&ranges, &hidden), expected as u128);
        }
    }
}
