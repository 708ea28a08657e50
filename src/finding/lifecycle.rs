//! The stages of a finding's life, in the product's own words. How Security Hub spells them is ASFF's business.

use crate::policy::Status;

/// The stage of a finding's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lifecycle {
    /// The group has a violation that no exemption covers.
    Failed,
    /// The group has violations, all exempt.
    Exempt,
    /// The group has no violation.
    Passed,
    /// The group does not exist any more.
    Gone,
    /// Nobody evaluates the group any more: the product is about to be removed.
    Retired,
}

/// The state of the finding of a group that passed (`SG_TRUST_PASSED`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Passed {
    /// It is archived.
    #[default]
    Archive,
    /// It stays active, so that PASSED groups show up.
    Active,
}

impl Lifecycle {
    /// The stage that a verdict leads to.
    #[must_use]
    pub fn of(status: Status) -> Self {
        match status {
            Status::Passed => Self::Passed,
            Status::Failed => Self::Failed,
            Status::Exempt => Self::Exempt,
        }
    }

    /// The stage by the word that findings carry.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [
            Self::Failed,
            Self::Exempt,
            Self::Passed,
            Self::Gone,
            Self::Retired,
        ]
        .into_iter()
        .find(|stage| stage.as_str() == word)
    }

    /// The word that findings carry.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "FAILED",
            Self::Exempt => "EXEMPT",
            Self::Passed => "PASSED",
            Self::Gone => "GONE",
            Self::Retired => "RETIRED",
        }
    }

    /// Whether a finding in this stage shows up as an open record. A FAILED one does; a PASSED one where the settings
    /// want it. The others are archived, so that a relapse (archived to active) resets the customer's workflow to NEW.
    #[must_use]
    pub fn is_active(self, passed: Passed) -> bool {
        match self {
            Self::Failed => true,
            Self::Passed => passed == Passed::Active,
            Self::Exempt | Self::Gone | Self::Retired => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_gives_its_stage_back() {
        for stage in [
            Lifecycle::Failed,
            Lifecycle::Exempt,
            Lifecycle::Passed,
            Lifecycle::Gone,
            Lifecycle::Retired,
        ] {
            assert_eq!(Lifecycle::parse(stage.as_str()), Some(stage));
        }
        assert_eq!(Lifecycle::parse("passed"), None);
    }

    #[test]
    fn only_failed_and_wanted_passed_findings_are_active() {
        use Lifecycle::{Exempt, Failed, Gone, Passed as PassedStage, Retired};
        let active = |passed| {
            [Failed, Exempt, PassedStage, Gone, Retired].map(|stage| stage.is_active(passed))
        };
        assert_eq!(active(Passed::Archive), [true, false, false, false, false]);
        assert_eq!(active(Passed::Active), [true, false, true, false, false]);
    }
}
