//! Names that must not be mixed up: identifiers of groups, accounts, VPCs, Regions and partitions.

use std::fmt;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $type(CompactString);

        impl $type {
            /// Takes the text as it is.
            pub fn new(text: impl Into<CompactString>) -> Self {
                Self(text.into())
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }
    };
}

name! {
    /// A security group's id. EC2's are `sg-` and 8 or 17 hexadecimal digits; a file may hold others.
    GroupId
}
name! {
    /// A VPC's id.
    VpcId
}
name! {
    /// A security group rule's id, `sgr-…`.
    RuleId
}
name! {
    /// The id of a VPC peering connection, `pcx-…`.
    PeeringConnectionId
}
name! {
    /// An AWS account's id: 12 digits.
    AccountId
}
name! {
    /// An AWS Region's code, such as `eu-west-1`.
    Region
}
name! {
    /// An AWS partition: `aws`, `aws-cn`, `aws-us-gov`, …
    Partition
}

/// Whether the text is `prefix` and then at least one letter, digit or hyphen.
fn has_form(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| {
        !rest.is_empty()
            && rest
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

impl GroupId {
    /// The id of a group in an event, when it has the form of one: `sg-[0-9a-zA-Z-]+`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        has_form(text, "sg-").then(|| Self::new(text))
    }
}

impl VpcId {
    /// The id of a VPC in an event, when it has the form of one: `vpc-[0-9a-zA-Z-]+`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        has_form(text, "vpc-").then(|| Self::new(text))
    }
}

impl AccountId {
    /// Whether the id is 12 digits, as AWS's are.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        self.0.len() == 12 && self.0.bytes().all(|byte| byte.is_ascii_digit())
    }
}

impl Region {
    /// Whether the code is made of lower-case words and a number, as AWS's are (`us-gov-west-1`).
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        let words: Vec<&str> = self.0.split('-').collect();
        words.len() >= 3
            && words.iter().all(|word| {
                !word.is_empty()
                    && word
                        .bytes()
                        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            })
            && words
                .last()
                .is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    }
}

/// The partition that a Region's code belongs to, by its prefix, for where no ARN says it. Source: `partitions.json` of
/// the AWS SDKs (`regionRegex`).
const PARTITIONS: [(&str, &str); 7] = [
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("us-iso-", "aws-iso"),
    ("us-isob-", "aws-iso-b"),
    ("eu-isoe-", "aws-iso-e"),
    ("us-isof-", "aws-iso-f"),
    ("eusc-", "aws-eusc"),
];

impl Partition {
    /// Whether the name is `aws`, or `aws-` and lower-case words.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        let mut words = self.0.split('-');
        words.next() == Some("aws")
            && words
                .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()))
    }

    /// The partition that a Region is in.
    #[must_use]
    pub fn of(region: &Region) -> Self {
        let known = PARTITIONS
            .iter()
            .find(|(prefix, _)| region.0.starts_with(prefix));
        Self::new(known.map_or("aws", |(_, partition)| partition))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_in_events_have_the_form_of_ids() {
        for good in ["sg-0123456789abcdef0", "sg-abc123", "sg-a-b"] {
            assert!(GroupId::parse(good).is_some(), "{good}");
        }
        for bad in [
            "sg-", "sgr-1", "sg-1;rm", "sg-1\n", " sg-1", "SG-1", "", "sg-é",
        ] {
            assert!(GroupId::parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn regions_have_partitions() {
        for (region, partition) in [
            ("eu-west-1", "aws"),
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            let region = Region::new(region);
            assert!(region.is_well_formed());
            assert_eq!(Partition::of(&region).as_str(), partition);
        }
        for bad in [
            "",
            "useast1",
            "US-EAST-1",
            "us-east-1\n",
            "us--1",
            "us-east-x",
        ] {
            assert!(!Region::new(bad).is_well_formed(), "{bad:?}");
        }
    }
}
