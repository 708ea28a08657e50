//! Where a group is: the Region and partition that its ARN, the command line or the environment tells.

use anyhow::bail;
use sg_trust::model::{Partition, Region, SecurityGroup};

#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("not a Region's code, such as eu-west-1")]
pub(crate) struct NotARegion;

/// A variable of the environment that should name a Region.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{variable} is {text:?}: {NotARegion}")]
pub(crate) struct WrongVariable {
    variable: &'static str,
    text: String,
}

pub(crate) fn parse_region(text: &str) -> Result<Region, NotARegion> {
    let region = Region::new(text);
    region.is_well_formed().then_some(region).ok_or(NotARegion)
}

/// The Region that `AWS_REGION` names, else `AWS_DEFAULT_REGION`.
pub(crate) fn region_of_environment() -> Result<Option<Region>, WrongVariable> {
    for variable in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
        match std::env::var(variable) {
            Ok(text) if !text.is_empty() => {
                let region = parse_region(&text);
                return region
                    .map(Some)
                    .map_err(|NotARegion| WrongVariable { variable, text });
            }
            _ => {}
        }
    }
    Ok(None)
}

/// The partition and Region that a group's ARN names.
pub(crate) fn place_of(group: &SecurityGroup) -> Option<(Partition, Region)> {
    let mut parts = group.security_group_arn.as_deref()?.split(':');
    let (Some("arn"), Some(partition), Some("ec2"), Some(region)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let partition = Some(Partition::new(partition)).filter(Partition::is_well_formed)?;
    Some((partition, parse_region(region).ok()?))
}

/// A Region with the partition that its code tells.
pub(crate) fn with_partition(region: &Region) -> (Partition, Region) {
    (Partition::of(region), region.clone())
}

/// Where groups are that do not tell it themselves.
#[derive(Debug)]
pub(crate) struct Regions {
    given: Option<Region>,
    environment: Result<Option<Region>, WrongVariable>,
}

impl Regions {
    /// By `--region`, else by the environment.
    pub(crate) fn new(given: Option<Region>) -> Self {
        Self {
            given,
            environment: region_of_environment(),
        }
    }

    /// The same where a Region is of use but not needed: a wrong one in the environment counts as none.
    pub(crate) fn optional(given: Option<Region>) -> Self {
        let environment = Ok(region_of_environment().ok().flatten());
        Self { given, environment }
    }

    /// Whether there is a `--region`, which a group may contradict.
    pub(crate) fn is_given(&self) -> bool {
        self.given.is_some()
    }

    /// Where a group is; none when nothing tells it.
    ///
    /// # Errors
    /// When `--region` contradicts the group's ARN, or the environment has to tell it and names no Region.
    pub(crate) fn find(
        &self,
        group: &SecurityGroup,
    ) -> anyhow::Result<Option<(Partition, Region)>> {
        match (place_of(group), &self.given) {
            (Some((_, own)), Some(given)) if own != *given => bail!(
                "its SecurityGroupArn says {own}, and --region says {given}: leave --region out, or give it with the groups of that Region alone"
            ),
            (Some(own), _) => Ok(Some(own)),
            (None, Some(given)) => Ok(Some(with_partition(given))),
            (None, None) => match &self.environment {
                Ok(region) => Ok(region.as_ref().map(with_partition)),
                Err(wrong) => Err(wrong.clone().into()),
            },
        }
    }
}
