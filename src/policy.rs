//! The policy: a security group must not let another security group reach all its ports.
//!
//! [`evaluate`] is a pure function of the settings, a group, what is known of the groups that it references, and the
//! day: no clock, no I/O, no environment.
//!
//! # Why it matters
//!
//! Administrators tend to trust the groups of their own account. Where one group guards far more sensitive data than
//! another, a rule that opens everything between them is the path of a lateral movement (MITRE ATT&CK TA0008, T1210).
//!
//! # Readings
//!
//! [`Reading::Reference`] is the published detection, nothing more. [`Reading::Effective`] fails all that it fails, and
//! what opens as much in another spelling: nearly all ports, split ranges, `-1` with ports -1 to -1.
//!
//! | module | has |
//! |---|---|
//! | [`settings`] | what users set, as plain types |
//! | [`reach`] | what each source reaches on a group, by which permissions |
//! | `evaluate` | from the reach of each source to the verdict |
//! | `verdict`, `source` | verdicts, violations, severities; whom a violation lets in, by which rules |
//! | [`exemption`] | accepted risks |
//! | [`sensitivity`] | what tags say about both ends of a violation |
//! | [`metadata`] | the policy's id, its demand, its classification |

mod evaluate;
pub mod exemption;
pub mod metadata;
pub mod reach;
pub mod sensitivity;
pub mod settings;
pub mod source;
mod verdict;

pub use evaluate::{day_of, evaluate};
pub use metadata::{DEMAND, ID, MITRE, REMEDIATION_URL, TYPES};
pub use sensitivity::{Levels, ReferencedGroups};
pub use settings::{Reading, Settings};
pub use source::{OpenRule, Source, SourcePair};
pub use verdict::{Reason, Severity, Status, Verdict, Violation};
