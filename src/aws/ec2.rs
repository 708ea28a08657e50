//! Security groups from EC2.
//!
//! Groups are always asked for by filters, never by `GroupIds`: one id that does not exist would fail the whole call.
//! An answer counts only with all its pages.

use std::time::Duration;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::operation::describe_security_groups::DescribeSecurityGroupsOutput;
use aws_sdk_ec2::types::{self, Filter};
use jiff::Timestamp;

use super::{Failure, Patience, is_later};
use crate::model::{
    AccountId, GroupId, GroupPair, IpPermission, IpRange, Ipv6Range, PrefixList, Protocol, Region,
    SecurityGroup, VpcId,
};
use crate::source::{GroupSource, Observation, Owner, Page, Query, SourceError};

/// Values of one filter: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Filter.html>.
const FILTER_VALUES: usize = 200;
/// Largest page of DescribeSecurityGroups.
const PAGE: i32 = 1000;

/// EC2 as one account in one Region sees it.
#[derive(Debug, Clone)]
pub struct Ec2 {
    client: Client,
    account: AccountId,
    region: Region,
    patience: Patience,
}

impl Ec2 {
    /// Of an account in the client's Region.
    #[must_use]
    pub fn new(client: Client, account: AccountId, region: Region, patience: Patience) -> Self {
        Self {
            client,
            account,
            region,
            patience,
        }
    }

    async fn describe(
        &self,
        filters: Vec<Filter>,
        page_size: Option<i32>,
        token: Option<String>,
    ) -> Result<DescribeSecurityGroupsOutput, SourceError> {
        let call = self
            .client
            .describe_security_groups()
            .set_filters((!filters.is_empty()).then_some(filters))
            .set_max_results(page_size)
            .set_next_token(token)
            .customize()
            .config_override(
                aws_sdk_ec2::config::Builder::new().timeout_config(self.patience.timeouts()),
            );
        call.send()
            .await
            .map_err(|error| self.error("DescribeSecurityGroups", Failure::of(error)))
    }

    /// All pages of an answer. The moment is that of the first page: what came later is only newer.
    async fn describe_all(
        &self,
        filters: Vec<Filter>,
        into: &mut Vec<SecurityGroup>,
    ) -> Result<Timestamp, SourceError> {
        let mut at = None;
        let mut token = None;
        loop {
            let answer = self.describe(filters.clone(), None, token).await?;
            let at = *at.get_or_insert_with(Timestamp::now);
            for group in answer.security_groups.unwrap_or_default() {
                into.push(self.group(group)?);
            }
            token = answer.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(at);
            }
        }
    }

    fn owner(&self, owner: Owner) -> Option<Filter> {
        (owner == Owner::This).then(|| filter("owner-id", [self.account.as_str()]))
    }

    /// The default VPC, whose groups can be named by name.
    async fn default_vpc(&self) -> Result<Option<String>, SourceError> {
        let call = self
            .client
            .describe_vpcs()
            .filters(filter("is-default", ["true"]))
            .customize()
            .config_override(
                aws_sdk_ec2::config::Builder::new().timeout_config(self.patience.timeouts()),
            );
        let answer = call
            .send()
            .await
            .map_err(|error| self.error("DescribeVpcs", Failure::of(error)))?;
        Ok(answer
            .vpcs
            .unwrap_or_default()
            .into_iter()
            .find_map(|vpc| vpc.vpc_id))
    }

    fn error(&self, operation: &str, failure: Failure) -> SourceError {
        let place = format!("account {}, region {}", self.account, self.region);
        match failure {
            Failure::NoAnswer(why) => {
                SourceError::Unavailable(format!("ec2 {operation} in {place}: {why}"))
            }
            Failure::NotMade(why) => SourceError::Refused(format!(
                "ec2 {operation} in {place} could not be called: {why}: check the credentials and the Region"
            )),
            Failure::Answer {
                code,
                message,
                status,
            } if is_later(&code, status) => {
                SourceError::Unavailable(format!("ec2 {operation} in {place}: {message} ({code})"))
            }
            Failure::Answer { code, message, .. } => {
                let what_to_do = match code.as_str() {
                    "UnauthorizedOperation" | "AccessDenied" | "AccessDeniedException" => {
                        format!(": the role needs ec2:{operation} on resource *, and no policy above it may deny it")
                    }
                    "AuthFailure" | "InvalidClientTokenId" | "SignatureDoesNotMatch" | "UnrecognizedClientException" => {
                        ": the credentials are not valid here: check them, the clock, and that the Region is enabled".to_owned()
                    }
                    "OptInRequired" => ": the account has not enabled this Region or EC2 in it".to_owned(),
                    _ => String::new(),
                };
                SourceError::Refused(format!(
                    "ec2 {operation} in {place}: {message} ({code}){what_to_do}"
                ))
            }
        }
    }

    /// EC2's answer in the product's own types. A group without an id is no answer at all.
    fn group(&self, group: types::SecurityGroup) -> Result<SecurityGroup, SourceError> {
        let group_id = group.group_id.filter(|id| !id.is_empty()).ok_or_else(|| {
            self.error(
                "DescribeSecurityGroups",
                Failure::NoAnswer("a security group without an id in the answer".to_owned()),
            )
        })?;
        Ok(SecurityGroup {
            group_id: GroupId::new(group_id),
            group_name: text(group.group_name),
            owner_id: text(group.owner_id).map(AccountId::new),
            vpc_id: text(group.vpc_id).map(VpcId::new),
            security_group_arn: text(group.security_group_arn),
            ip_permissions: permissions(group.ip_permissions),
            ip_permissions_egress: permissions(group.ip_permissions_egress),
            tags: group
                .tags
                .unwrap_or_default()
                .into_iter()
                .filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())))
                .collect(),
        })
    }
}

impl GroupSource for Ec2 {
    async fn find(&self, query: Query<'_>, owner: Owner) -> Result<Observation, SourceError> {
        let mut groups = Vec::new();
        let owner = self.owner(owner);
        let with_owner = |mut filters: Vec<Filter>| {
            filters.extend(owner.clone());
            filters
        };
        let at = match query {
            Query::Ids(ids) => {
                let mut at = None;
                for ids in ids.chunks(FILTER_VALUES) {
                    let filters =
                        with_owner(vec![filter("group-id", ids.iter().map(GroupId::as_str))]);
                    let of_call = self.describe_all(filters, &mut groups).await?;
                    at = at.or(Some(of_call));
                }
                at.unwrap_or_else(Timestamp::now)
            }
            Query::Name(name) => match self.default_vpc().await? {
                Some(vpc) => {
                    let named = filter("group-name", [escaped(name).as_str()]);
                    let at = self
                        .describe_all(
                            with_owner(vec![filter("vpc-id", [vpc.as_str()]), named]),
                            &mut groups,
                        )
                        .await?;
                    let is_named = |own: &str| own.to_lowercase() == name.to_lowercase();
                    groups.retain(|group| group.group_name.as_deref().is_some_and(is_named));
                    at
                }
                None => Timestamp::now(),
            },
            Query::DefaultGroupOf(vpc) => {
                let filters = vec![
                    filter("vpc-id", [vpc.as_str()]),
                    filter("group-name", ["default"]),
                ];
                self.describe_all(with_owner(filters), &mut groups).await?
            }
            Query::InVpc(vpc) => {
                self.describe_all(
                    with_owner(vec![filter("vpc-id", [vpc.as_str()])]),
                    &mut groups,
                )
                .await?
            }
        };
        Ok(Observation { groups, at })
    }

    async fn page(&self, after: Option<String>) -> Result<Page, SourceError> {
        let answer = self
            .describe(
                self.owner(Owner::This).into_iter().collect(),
                Some(PAGE),
                after,
            )
            .await?;
        let at = Timestamp::now();
        let groups = answer
            .security_groups
            .unwrap_or_default()
            .into_iter()
            .map(|group| self.group(group))
            .collect::<Result<_, _>>()?;
        Ok(Page {
            observation: Observation { groups, at },
            next: answer.next_token.filter(|token| !token.is_empty()),
        })
    }
}

/// Opens the connection and signs a first request, both of which cost the first event less then: a dry run, whose
/// answer does not matter.
pub async fn prewarm(client: &Client, most: Duration) -> Result<(), String> {
    let call = client
        .describe_security_groups()
        .dry_run(true)
        .max_results(5)
        .send();
    match tokio::time::timeout(most, call).await {
        Err(_) => Err("no answer in time".to_owned()),
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => match Failure::of(error) {
            Failure::Answer { code, .. } if code == "DryRunOperation" => Ok(()),
            Failure::Answer { code, message, .. } => Err(format!("{message} ({code})")),
            Failure::NoAnswer(why) | Failure::NotMade(why) => Err(why),
        },
    }
}

fn filter<'a>(name: &str, values: impl IntoIterator<Item = &'a str>) -> Filter {
    Filter::builder()
        .name(name)
        .set_values(Some(values.into_iter().map(str::to_owned).collect()))
        .build()
}

/// A name as a filter takes it: `*` and `?` are wildcards there and legal in names.
fn escaped(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for character in name.chars() {
        if matches!(character, '*' | '?' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

fn text(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn permissions(permissions: Option<Vec<types::IpPermission>>) -> Vec<IpPermission> {
    let permission = |permission: types::IpPermission| IpPermission {
        ip_protocol: permission
            .ip_protocol
            .as_deref()
            .map(Protocol::new)
            .unwrap_or_default(),
        from_port: permission.from_port.map(i64::from),
        to_port: permission.to_port.map(i64::from),
        user_id_group_pairs: permission
            .user_id_group_pairs
            .unwrap_or_default()
            .into_iter()
            .map(pair)
            .collect(),
        ip_ranges: permission
            .ip_ranges
            .unwrap_or_default()
            .into_iter()
            .map(|range| IpRange {
                cidr_ip: text(range.cidr_ip),
            })
            .collect(),
        ipv6_ranges: permission
            .ipv6_ranges
            .unwrap_or_default()
            .into_iter()
            .map(|range| Ipv6Range {
                cidr_ipv6: text(range.cidr_ipv6),
            })
            .collect(),
        prefix_list_ids: permission
            .prefix_list_ids
            .unwrap_or_default()
            .into_iter()
            .map(|list| PrefixList {
                prefix_list_id: text(list.prefix_list_id),
            })
            .collect(),
    };
    permissions
        .unwrap_or_default()
        .into_iter()
        .map(permission)
        .collect()
}

fn pair(pair: types::UserIdGroupPair) -> GroupPair {
    GroupPair {
        group_id: text(pair.group_id),
        group_name: text(pair.group_name),
        user_id: text(pair.user_id).map(AccountId::new),
        vpc_id: text(pair.vpc_id),
        vpc_peering_connection_id: text(pair.vpc_peering_connection_id),
        peering_status: text(pair.peering_status),
    }
}
