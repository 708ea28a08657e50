//! Ports as a bar over all that there are.

use std::fmt;

use askama::filters::HtmlSafe;

use crate::model::ports::PortSet;
use crate::report::prose::ranges;

/// No interval is drawn narrower than this, or it could not be seen.
const NARROWEST: u32 = 192;

/// A bar in which the open ports are filled.
#[derive(Debug, Clone, Copy)]
pub(super) struct PortsBar<'a>(pub(super) &'a PortSet);

impl HtmlSafe for PortsBar<'_> {}

impl fmt::Display for PortsBar<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label = ranges(self.0);
        write!(
            formatter,
            "<svg class=\"ports\" role=\"img\" aria-label=\"Open ports: {label}\">"
        )?;
        for (first, width) in drawn(self.0) {
            match first {
                0 => formatter.write_str("<rect ")?,
                first => write!(formatter, "<rect x=\"{}%\" ", percent(first))?,
            }
            write!(formatter, "width=\"{}%\"/>", percent(width))?;
        }
        formatter.write_str("</svg>")
    }
}

/// So many ports of all.
fn percent(ports: u32) -> f64 {
    (f64::from(ports) / 65.536).round() / 10.0
}

/// What is drawn: where each piece begins and how wide it is. Pieces that cannot be told apart are one.
fn drawn(ports: &PortSet) -> Vec<(u32, u32)> {
    let mut pieces: Vec<(u32, u32)> = Vec::new();
    for (first, last) in ports.intervals() {
        let first = u32::from(*first).min(65_536 - NARROWEST);
        let end = (u32::from(*last) + 1).max(first + NARROWEST);
        match pieces.last_mut() {
            Some((begin, width)) if first < *begin + *width + NARROWEST / 4 => {
                *width = (*width).max(end - *begin);
            }
            _ => pieces.push((first, end - first)),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_open_port_is_drawn_and_nothing_lies_outside(intervals in prop::collection::vec((any::<u16>(), 0_u16..9_000), 0..40)) {
            let ports: PortSet = intervals.iter().map(|(first, more)| (*first, first.saturating_add(*more))).collect();
            let pieces = drawn(&ports);
            let covers = |port: u32| pieces.iter().any(|(first, width)| (*first..first + width).contains(&port));
            for (first, last) in ports.intervals() {
                prop_assert!(covers(u32::from(*first)) && covers(u32::from(*last)));
            }
            prop_assert!(pieces.iter().all(|(first, width)| first + width <= 65_536 && *width >= NARROWEST));
            prop_assert!(pieces.windows(2).all(|both| both[0].0 + both[0].1 < both[1].0));
        }
    }
}
