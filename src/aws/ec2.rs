//! Security groups and network interfaces from EC2.
//!
//! Groups are always asked for by filters, never by `GroupIds`: one id that does not exist would fail the whole call.
//! An answer counts only with all its pages.

use std::time::Instant;

use aws_config::SdkConfig;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::client::customize::CustomizableOperation;
use aws_sdk_ec2::operation::describe_security_groups::DescribeSecurityGroupsOutput;
use aws_sdk_ec2::types::{Filter, SecurityGroupRule};
use jiff::Timestamp;

use self::whole_answer::WholeAnswer;
use super::clock::{ClockOffset, DateHeader};
use super::{CallError, Timeouts, describe};
use crate::engine::source::{GroupSource, Observation, Observed, Owner, Page, Query, SourceError};
use crate::model::{GroupId, GroupRule, NetworkInterface, Scope, VpcId};

mod convert;
mod rules;
#[cfg(test)]
mod tests;
mod whole_answer;

/// Values of one filter: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Filter.html>.
const FILTER_VALUES: usize = 200;
/// Largest page of DescribeSecurityGroups, DescribeSecurityGroupRules and DescribeNetworkInterfaces.
const PAGE: i32 = 1000;
/// Smallest page of DescribeSecurityGroups.
const SMALLEST_PAGE: i32 = 5;

/// A client that takes only whole answers.
pub(super) fn client(config: &SdkConfig) -> Client {
    Client::from_conf(
        aws_sdk_ec2::config::Builder::from(config)
            .interceptor(WholeAnswer)
            .build(),
    )
}

/// EC2 as one account in one Region sees it.
#[derive(Debug, Clone)]
pub struct Ec2 {
    client: Client,
    scope: Scope,
    timeouts: Timeouts,
}

impl Ec2 {
    /// The client must be one of the scope's Region.
    pub(super) fn new(client: Client, scope: Scope, timeouts: Timeouts) -> Self {
        Self {
            client,
            scope,
            timeouts,
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
            .customize();
        within(call, self.timeouts)
            .send()
            .await
            .map_err(|error| self.error("DescribeSecurityGroups", CallError::from(error)))
    }

    /// One page of an answer, each group with the moment before the request was sent.
    async fn describe_page(
        &self,
        filters: Vec<Filter>,
        page_size: Option<i32>,
        token: Option<String>,
    ) -> Result<Page, SourceError> {
        let at = Timestamp::now();
        let answer = self.describe(filters, page_size, token).await?;
        let observed = |group| {
            // A group without an id is no answer.
            let group = convert::group(group).ok_or_else(|| {
                let why = "a security group without an id in the answer".to_owned();
                self.error("DescribeSecurityGroups", CallError::Unexpected(why))
            })?;
            Ok(Observed { group, at })
        };
        let groups = answer.security_groups.unwrap_or_default();
        Ok(Page {
            groups: groups.into_iter().map(observed).collect::<Result<_, _>>()?,
            next: answer.next_token.filter(|token| !token.is_empty()),
        })
    }

    /// Every group that has one of the values, however many pages and calls it takes.
    async fn describe_each<'v>(
        &self,
        name: &str,
        values: impl Iterator<Item = &'v str>,
        others: &[Filter],
    ) -> Result<Observation, SourceError> {
        let values: Vec<_> = values.collect();
        let at = Timestamp::now();
        let mut groups = Vec::new();
        for values in values.chunks(FILTER_VALUES) {
            let mut filters = vec![filter(name, values.iter().copied())];
            filters.extend_from_slice(others);
            let mut token = None;
            loop {
                let page = self.describe_page(filters.clone(), None, token).await?;
                groups.extend(page.groups);
                token = page.next;
                if token.is_none() {
                    break;
                }
            }
        }
        Ok(Observation { groups, at })
    }

    /// The groups of these names in the default VPC. A filter compares with regard to case, EC2's calls without: for a
    /// name that the filter does not find, all groups of the VPC are read.
    async fn describe_named(
        &self,
        names: &[String],
        others: &[Filter],
    ) -> Result<Observation, SourceError> {
        let at = Timestamp::now();
        let Some(vpc) = self.default_vpc().await? else {
            return Ok(Observation {
                groups: Vec::new(),
                at,
            });
        };
        let mut others = others.to_vec();
        others.push(filter("vpc-id", [vpc.as_str()]));
        let escaped: Vec<_> = names.iter().map(|name| escaped(name)).collect();
        let values = escaped.iter().map(String::as_str);
        let mut observation = self.describe_each("group-name", values, &others).await?;
        let is_found = |name: &String| {
            let mut groups = observation.groups.iter();
            groups.any(|observed| observed.group.is_named(name))
        };
        if !names.iter().all(is_found) {
            let vpc = std::iter::once(vpc.as_str());
            observation = self.describe_each("vpc-id", vpc, &others).await?;
        }
        let is_wanted =
            |observed: &Observed| names.iter().any(|name| observed.group.is_named(name));
        observation.groups.retain(is_wanted);
        Ok(observation)
    }

    fn owner(&self, owner: Owner) -> Option<Filter> {
        (owner == Owner::This).then(|| filter("owner-id", [self.scope.account.as_str()]))
    }

    /// The default VPC, whose groups can be named by name.
    async fn default_vpc(&self) -> Result<Option<String>, SourceError> {
        let call = self
            .client
            .describe_vpcs()
            .filters(filter("is-default", ["true"]))
            .customize();
        let answer = within(call, self.timeouts)
            .send()
            .await
            .map_err(|error| self.error("DescribeVpcs", CallError::from(error)))?;
        Ok(answer
            .vpcs
            .unwrap_or_default()
            .into_iter()
            .find_map(|vpc| vpc.vpc_id))
    }

    fn error(&self, operation: &str, error: CallError) -> SourceError {
        let Scope {
            region, account, ..
        } = &self.scope;
        let call = format!("ec2 {operation} in account {account}, region {region}");
        let text = describe(&error);
        let text = match error.code() {
            _ if error.is_configuration() => {
                format!("{call} could not be called: {text}: check the credentials and the Region")
            }
            _ if error.is_retryable() => format!("{call}: {text}"),
            Some("UnauthorizedOperation" | "AccessDenied" | "AccessDeniedException") => format!(
                "{call}: {text}: the role needs ec2:{operation} on resource *, and no policy above it may deny it"
            ),
            Some(
                "AuthFailure"
                | "InvalidClientTokenId"
                | "SignatureDoesNotMatch"
                | "UnrecognizedClientException",
            ) => format!(
                "{call}: {text}: the credentials are not valid here: check them, the clock, and that the Region is enabled"
            ),
            Some("OptInRequired") => {
                format!("{call}: {text}: the account has not enabled this Region or EC2 in it")
            }
            _ => format!("{call}: {text}"),
        };
        if error.is_retryable() {
            SourceError::Unavailable(text)
        } else {
            SourceError::Refused(text)
        }
    }

    /// Every network interface that the account sees, those of others in its VPCs among them.
    ///
    /// # Errors
    /// When a page of the answer is missing.
    pub async fn interfaces(&self) -> Result<Vec<NetworkInterface>, SourceError> {
        self.interfaces_with(Vec::new()).await
    }

    async fn interfaces_with(
        &self,
        filters: Vec<Filter>,
    ) -> Result<Vec<NetworkInterface>, SourceError> {
        const OPERATION: &str = "DescribeNetworkInterfaces";
        let mut interfaces = Vec::new();
        let mut token = None;
        loop {
            let call = self
                .client
                .describe_network_interfaces()
                .set_filters((!filters.is_empty()).then(|| filters.clone()))
                .max_results(PAGE)
                .set_next_token(token)
                .customize();
            let answer = within(call, self.timeouts)
                .send()
                .await
                .map_err(|error| self.error(OPERATION, CallError::from(error)))?;
            for interface in answer.network_interfaces.unwrap_or_default() {
                // Without its id, or with a group of none, it would hide a chain.
                let interface = convert::interface(interface).ok_or_else(|| {
                    let why = "a network interface or its group without an id in the answer";
                    self.error(OPERATION, CallError::Unexpected(why.to_owned()))
                })?;
                interfaces.push(interface);
            }
            token = answer.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(interfaces);
            }
        }
    }

    /// The lead of the local clock over EC2's, by the Date header of an answer, which knows seconds only.
    ///
    /// # Errors
    /// When EC2 does not answer, or without a Date.
    pub(super) async fn clock_offset(&self) -> Result<ClockOffset, SourceError> {
        let date = DateHeader::default();
        let call = self
            .client
            .describe_security_groups()
            .max_results(SMALLEST_PAGE)
            .customize()
            .interceptor(date.clone());
        within(call, self.timeouts)
            .send()
            .await
            .map_err(|error| self.error("DescribeSecurityGroups", CallError::from(error)))?;
        date.offset().ok_or_else(|| {
            let why = "an answer without a Date".to_owned();
            self.error("DescribeSecurityGroups", CallError::Unexpected(why))
        })
    }

    /// The rules of the groups that `read` makes something of.
    async fn each_rule<T>(
        &self,
        ids: &[GroupId],
        read: impl Fn(SecurityGroupRule) -> Option<T>,
    ) -> Result<Vec<T>, SourceError> {
        let mut rules = Vec::new();
        for ids in ids.chunks(FILTER_VALUES) {
            let filter = filter("group-id", ids.iter().map(GroupId::as_str));
            let mut token = None;
            loop {
                let call = self
                    .client
                    .describe_security_group_rules()
                    .filters(filter.clone())
                    .max_results(PAGE)
                    .set_next_token(token)
                    .customize();
                let answer = within(call, self.timeouts).send().await.map_err(|error| {
                    self.error("DescribeSecurityGroupRules", CallError::from(error))
                })?;
                let of_page = answer.security_group_rules.unwrap_or_default();
                rules.extend(of_page.into_iter().filter_map(&read));
                token = answer.next_token.filter(|token| !token.is_empty());
                if token.is_none() {
                    break;
                }
            }
        }
        Ok(rules)
    }
}

/// Limits the time of a call.
fn within<T, E, B>(
    call: CustomizableOperation<T, E, B>,
    timeouts: Timeouts,
) -> CustomizableOperation<T, E, B> {
    match timeouts.override_at(Instant::now()) {
        Some(limits) => {
            call.config_override(aws_sdk_ec2::config::Builder::new().timeout_config(limits))
        }
        None => call,
    }
}

impl GroupSource for Ec2 {
    async fn find(&self, query: Query<'_>, owner: Owner) -> Result<Observation, SourceError> {
        let mut others: Vec<_> = self.owner(owner).into_iter().collect();
        match query {
            Query::Ids(ids) => {
                let ids = ids.iter().map(GroupId::as_str);
                self.describe_each("group-id", ids, &others).await
            }
            Query::Referencing(ids) => {
                let ids = ids.iter().map(GroupId::as_str);
                self.describe_each("ip-permission.group-id", ids, &others)
                    .await
            }
            Query::Names(names) => self.describe_named(names, &others).await,
            Query::DefaultGroupsOf(vpcs) => {
                others.push(filter("group-name", ["default"]));
                let vpcs = vpcs.iter().map(VpcId::as_str);
                self.describe_each("vpc-id", vpcs, &others).await
            }
        }
    }

    async fn rules(&self, ids: &[GroupId]) -> Result<Vec<GroupRule>, SourceError> {
        self.each_rule(ids, convert::rule).await
    }

    fn is_live(&self) -> bool {
        true
    }

    async fn page(&self, after: Option<String>) -> Result<Page, SourceError> {
        let own = self.owner(Owner::This).into_iter().collect();
        self.describe_page(own, Some(PAGE), after).await
    }
}

/// Opens the connection and signs a first request, both of which cost the first event less then: a dry run, whose
/// answer does not matter.
pub(super) async fn prewarm(client: &Client) -> Result<(), CallError> {
    let answer = client
        .describe_security_groups()
        .dry_run(true)
        .max_results(SMALLEST_PAGE)
        .send()
        .await;
    match answer.map_err(CallError::from) {
        Err(error) if error.code() != Some("DryRunOperation") => Err(error),
        _ => Ok(()),
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
