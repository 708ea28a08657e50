//! Security groups from EC2.
//!
//! Groups are always asked for by filters, never by `GroupIds`: one id that does not exist would fail the whole call.
//! An answer counts only with all its pages.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use aws_config::SdkConfig;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::client::customize::CustomizableOperation;
use aws_sdk_ec2::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_ec2::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_ec2::error::BoxError;
use aws_sdk_ec2::operation::describe_security_groups::DescribeSecurityGroupsOutput;
use aws_sdk_ec2::types::{self, Filter};
use jiff::{SignedDuration, Timestamp};

use super::{CallError, Timeouts, describe};
use crate::engine::source::{GroupSource, Observation, Observed, Owner, Page, Query, SourceError};
use crate::model::{
    AccountId, GroupId, GroupPair, GroupRule, IpPermission, IpRange, Ipv6Range,
    PeeringConnectionId, PrefixList, Protocol, Region, RuleId, SecurityGroup, Traffic, VpcId,
};

/// Values of one filter: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Filter.html>.
const FILTER_VALUES: usize = 200;
/// Largest page of DescribeSecurityGroups and DescribeSecurityGroupRules.
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

/// The SDK reads XML that was cut off as if it ended there: a group without its permissions, or no group at all. Either
/// would be a wrong verdict, so an answer that does not end with the end of its root element is an error.
#[derive(Debug)]
struct WholeAnswer;

impl Intercept for WholeAnswer {
    fn name(&self) -> &'static str {
        "WholeAnswer"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // What is an error already stays the one that it is: the SDK asks again where the connection ended.
        let is_read = context.output_or_error().is_ok();
        let body = context.response().body().bytes().unwrap_or_default();
        if is_read && !is_whole(body) {
            return Err(format!("the answer was cut off after {} bytes", body.len()).into());
        }
        Ok(())
    }
}

/// Does the XML end with the end of its root element?
fn is_whole(xml: &[u8]) -> bool {
    let name_of = |tag: &[u8]| {
        let end = tag
            .iter()
            .position(|byte| byte.is_ascii_whitespace() || *byte == b'>' || *byte == b'/');
        tag.get(..end.unwrap_or(tag.len()))
            .unwrap_or_default()
            .to_vec()
    };
    let root = xml
        .split(|byte| *byte == b'<')
        .skip(1)
        .find(|tag| !tag.starts_with(b"?") && !tag.starts_with(b"!"))
        .map(name_of);
    root.is_some_and(|root| {
        !root.is_empty()
            && xml
                .trim_ascii_end()
                .ends_with(&[b"</", root.as_slice(), b">"].concat())
    })
}

/// EC2 as one account in one Region sees it.
#[derive(Debug, Clone)]
pub struct Ec2 {
    client: Client,
    account: AccountId,
    region: Region,
    patience: Timeouts,
}

impl Ec2 {
    /// Of an account in the client's Region.
    pub(super) fn new(
        client: Client,
        account: AccountId,
        region: Region,
        patience: Timeouts,
    ) -> Self {
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
            .customize();
        within(call, self.patience)
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
            Ok(Observed {
                group: self.group(group)?,
                at,
            })
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
        (owner == Owner::This).then(|| filter("owner-id", [self.account.as_str()]))
    }

    /// The default VPC, whose groups can be named by name.
    async fn default_vpc(&self) -> Result<Option<String>, SourceError> {
        let call = self
            .client
            .describe_vpcs()
            .filters(filter("is-default", ["true"]))
            .customize();
        let answer = within(call, self.patience)
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
        let call = format!(
            "ec2 {operation} in account {}, region {}",
            self.account, self.region
        );
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

    /// EC2's answer in the product's own types. A group without an id is no answer at all.
    fn group(&self, group: types::SecurityGroup) -> Result<SecurityGroup, SourceError> {
        let group_id = group.group_id.filter(|id| !id.is_empty()).ok_or_else(|| {
            self.error(
                "DescribeSecurityGroups",
                CallError::Unexpected("a security group without an id in the answer".to_owned()),
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

impl Ec2 {
    /// How far the local clock is ahead of EC2's, by the Date header of an answer, which knows seconds only.
    ///
    /// # Errors
    /// When EC2 does not answer, or without a Date.
    pub(super) async fn clock_offset(&self) -> Result<SignedDuration, SourceError> {
        let clock = Arc::new(Mutex::new(None));
        let call = self
            .client
            .describe_security_groups()
            .max_results(SMALLEST_PAGE)
            .customize()
            .interceptor(DateOfAnswer(Arc::clone(&clock)));
        within(call, self.patience)
            .send()
            .await
            .map_err(|error| self.error("DescribeSecurityGroups", CallError::from(error)))?;
        let offset = *clock.lock().unwrap_or_else(PoisonError::into_inner);
        offset.ok_or_else(|| {
            self.error(
                "DescribeSecurityGroups",
                CallError::Unexpected("an answer without a Date".to_owned()),
            )
        })
    }
}

/// Notes how far the local clock is ahead of the Date of an answer.
#[derive(Debug)]
struct DateOfAnswer(Arc<Mutex<Option<SignedDuration>>>);

impl Intercept for DateOfAnswer {
    fn name(&self) -> &'static str {
        "DateOfAnswer"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        if let Some(date) = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok()) {
            let offset = Timestamp::now().duration_since(date.timestamp());
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(offset);
        }
        Ok(())
    }
}

/// A call with the time that it may take.
fn within<T, E, B>(
    call: CustomizableOperation<T, E, B>,
    patience: Timeouts,
) -> CustomizableOperation<T, E, B> {
    match patience.override_at(Instant::now()) {
        Some(timeouts) => {
            call.config_override(aws_sdk_ec2::config::Builder::new().timeout_config(timeouts))
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
                let answer = within(call, self.patience).send().await.map_err(|error| {
                    self.error("DescribeSecurityGroupRules", CallError::from(error))
                })?;
                let of_page = answer.security_group_rules.unwrap_or_default();
                rules.extend(of_page.into_iter().filter_map(rule));
                token = answer.next_token.filter(|token| !token.is_empty());
                if token.is_none() {
                    break;
                }
            }
        }
        Ok(rules)
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

/// An ingress rule for a group; nothing for any other rule.
fn rule(rule: types::SecurityGroupRule) -> Option<GroupRule> {
    let protocol = Protocol::new(rule.ip_protocol.as_deref().unwrap_or_default());
    let (from, to) = (rule.from_port.map(i64::from), rule.to_port.map(i64::from));
    (rule.is_egress == Some(false)).then_some(GroupRule {
        rule_id: Some(text(rule.security_group_rule_id).map(RuleId::new)?),
        group_id: Some(text(rule.group_id).map(GroupId::new)?),
        is_ingress: Some(true),
        source: text(rule.referenced_group_info?.group_id).map(GroupId::new)?,
        traffic: Traffic::new(protocol, from, to),
    })
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
        group_id: text(pair.group_id).map(GroupId::new),
        group_name: text(pair.group_name),
        user_id: text(pair.user_id).map(AccountId::new),
        vpc_id: text(pair.vpc_id).map(VpcId::new),
        vpc_peering_connection_id: text(pair.vpc_peering_connection_id)
            .map(PeeringConnectionId::new),
        peering_status: text(pair.peering_status),
        description: text(pair.description),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::testing::{Answer, Requests, config, scope};

    fn item(id: &str) -> String {
        format!(
            "<item><ownerId>111111111111</ownerId><groupId>{id}</groupId><groupName>app &amp; co</groupName><groupDescription>d</groupDescription>\
             <vpcId>vpc-1</vpcId><securityGroupArn>arn:aws:ec2:eu-west-1:111111111111:security-group/{id}</securityGroupArn>\
             <ipPermissions><item><ipProtocol>tcp</ipProtocol><fromPort>0</fromPort><toPort>65535</toPort><groups><item>\
             <userId>222222222222</userId><groupId>sg-0b</groupId><groupName>web</groupName><vpcId>vpc-2</vpcId>\
             <vpcPeeringConnectionId>pcx-1</vpcPeeringConnectionId><peeringStatus>active</peeringStatus></item></groups>\
             <ipRanges><item><cidrIp>10.0.0.0/8</cidrIp></item></ipRanges><ipv6Ranges><item><cidrIpv6>::/0</cidrIpv6></item></ipv6Ranges>\
             <prefixListIds><item><prefixListId>pl-1</prefixListId></item></prefixListIds></item></ipPermissions>\
             <ipPermissionsEgress><item><ipProtocol>-1</ipProtocol><groups/><ipRanges/><ipv6Ranges/><prefixListIds/></item></ipPermissionsEgress>\
             <tagSet><item><key>team</key><value>payments</value></item><item><key>empty</key><value/></item></tagSet></item>"
        )
    }

    fn answer(items: &str, token: Option<&str>) -> String {
        let token = token
            .map(|token| format!("<nextToken>{token}</nextToken>"))
            .unwrap_or_default();
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><DescribeSecurityGroupsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\
             <requestId>r</requestId><securityGroupInfo>{items}</securityGroupInfo>{token}</DescribeSecurityGroupsResponse>"
        )
    }

    fn error(code: &str) -> String {
        format!(
            "<Response><Errors><Error><Code>{code}</Code><Message>because</Message></Error></Errors><RequestID>r</RequestID></Response>"
        )
    }

    fn ec2(answer: impl Fn(usize, &str) -> Answer + Send + Sync + 'static) -> (Ec2, Requests) {
        let (config, requests) = config(answer);
        let scope = scope();
        (
            Ec2::new(
                client(&config),
                scope.account,
                scope.region,
                Timeouts::EVENT,
            ),
            requests,
        )
    }

    fn bodies(requests: &Requests) -> Vec<Vec<(String, String)>> {
        let of = |body: &str| {
            let pairs = body.split('&').map(|pair| pair.split_once('=').unwrap());
            pairs
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect()
        };
        requests
            .lock()
            .unwrap()
            .iter()
            .map(|request| of(&request.body))
            .collect()
    }

    fn ids(count: usize) -> Vec<GroupId> {
        (0..count)
            .map(|number| GroupId::new(format!("sg-{number:017}")))
            .collect()
    }

    #[tokio::test]
    async fn a_group_is_asked_for_by_filters_and_read_member_by_member() {
        let (ec2, requests) = ec2(|_, _| (200, answer(&item("sg-0a"), None)));
        let observation = ec2
            .find(Query::Ids(&[GroupId::new("sg-0a")]), Owner::This)
            .await
            .unwrap();
        let expected: SecurityGroup = serde_json::from_str(
            r#"{"GroupId":"sg-0a","GroupName":"app & co","OwnerId":"111111111111","VpcId":"vpc-1",
                "SecurityGroupArn":"arn:aws:ec2:eu-west-1:111111111111:security-group/sg-0a",
                "IpPermissions":[{"IpProtocol":"tcp","FromPort":0,"ToPort":65535,"UserIdGroupPairs":[{"UserId":"222222222222","GroupId":"sg-0b",
                  "GroupName":"web","VpcId":"vpc-2","VpcPeeringConnectionId":"pcx-1","PeeringStatus":"active"}],
                  "IpRanges":[{"CidrIp":"10.0.0.0/8"}],"Ipv6Ranges":[{"CidrIpv6":"::/0"}],"PrefixListIds":[{"PrefixListId":"pl-1"}]}],
                "IpPermissionsEgress":[{"IpProtocol":"-1"}],"Tags":{"team":"payments","empty":""}}"#,
        )
        .unwrap();
        let groups: Vec<_> = observation
            .groups
            .into_iter()
            .map(|one| one.group)
            .collect();
        assert_eq!(groups, [expected]);
        let sent: Vec<_> = bodies(&requests).remove(0);
        let expected = [
            ("Action", "DescribeSecurityGroups"),
            ("Version", "2016-11-15"),
            ("Filter.1.Name", "group-id"),
            ("Filter.1.Value.1", "sg-0a"),
            ("Filter.2.Name", "owner-id"),
            ("Filter.2.Value.1", "111111111111"),
        ];
        assert_eq!(
            sent,
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }

    #[tokio::test]
    async fn every_page_counts() {
        let (ec2, requests) = ec2(|_, body| {
            let (id, next) = if body.contains("NextToken=second") {
                ("sg-0b", Some("third"))
            } else if body.contains("NextToken=third") {
                ("sg-0c", None)
            } else {
                ("sg-0a", Some("second"))
            };
            (200, answer(&item(id), next))
        });
        let observation = ec2
            .find(Query::DefaultGroupsOf(&[VpcId::new("vpc-1")]), Owner::Any)
            .await
            .unwrap();
        let found: Vec<_> = observation
            .groups
            .iter()
            .map(|one| one.group.group_id.as_str())
            .collect();
        assert_eq!(found, ["sg-0a", "sg-0b", "sg-0c"]);
        assert_eq!(requests.lock().unwrap().len(), 3);
    }

    #[tokio::test]
    async fn what_is_observed_has_the_moment_before_the_request_of_its_page() {
        let asked: Arc<Mutex<Vec<Timestamp>>> = Arc::default();
        let of_answer = Arc::clone(&asked);
        let (ec2, _) = ec2(move |number, _| {
            of_answer.lock().unwrap().push(Timestamp::now());
            std::thread::sleep(std::time::Duration::from_millis(5));
            let next = (number == 0).then_some("second");
            (200, answer(&item(["sg-0a", "sg-0b"][number]), next))
        });
        let ids = [GroupId::new("sg-0a"), GroupId::new("sg-0b")];
        let observation = ec2.find(Query::Ids(&ids), Owner::This).await.unwrap();
        let asked = asked.lock().unwrap();
        let [first, second] = observation.groups.as_slice() else {
            panic!("{observation:?}");
        };
        assert!(observation.at <= first.at && first.at <= asked[0]);
        assert!(asked[0] < second.at && second.at <= asked[1]);
    }

    #[tokio::test]
    async fn a_name_of_another_case_is_found_among_the_groups_of_the_default_vpc() {
        let vpc = "<DescribeVpcsResponse><vpcSet><item><vpcId>vpc-1</vpcId><isDefault>true</isDefault></item></vpcSet></DescribeVpcsResponse>";
        let (ec2, requests) = ec2(move |_, body| {
            let body = if body.contains("Action=DescribeVpcs") {
                vpc.to_owned()
            } else if body.contains("group-name") {
                answer("", None)
            } else {
                answer(&item("sg-0a"), None)
            };
            (200, body)
        });
        let names = ["APP & Co".to_owned()];
        let observation = ec2.find(Query::Names(&names), Owner::This).await.unwrap();
        assert_eq!(observation.groups.len(), 1);
        assert_eq!(requests.lock().unwrap().len(), 3);
    }

    #[tokio::test]
    async fn two_hundred_ids_go_into_one_call() {
        let (ec2, requests) = ec2(|_, _| (200, answer("", None)));
        assert!(
            ec2.find(Query::Ids(&ids(401)), Owner::This)
                .await
                .unwrap()
                .groups
                .is_empty()
        );
        let values: Vec<_> = bodies(&requests)
            .iter()
            .map(|body| {
                body.iter()
                    .filter(|(name, _)| name.starts_with("Filter.1.Value"))
                    .count()
            })
            .collect();
        assert_eq!(values, [200, 200, 1]);
    }

    #[tokio::test]
    async fn a_sweep_asks_for_pages_of_a_thousand() {
        let (ec2, requests) =
            ec2(|number, _| (200, answer(&item("sg-0a"), (number == 0).then_some("next"))));
        let first = ec2.page(None).await.unwrap();
        let last = ec2.page(first.next).await.unwrap();
        assert_eq!(last.next, None);
        for body in bodies(&requests) {
            assert!(
                body.contains(&("MaxResults".to_owned(), "1000".to_owned()))
                    && body.contains(&("Filter.1.Name".to_owned(), "owner-id".to_owned())),
                "{body:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_name_is_looked_for_in_the_default_vpc_to_the_letter() {
        let (ec2, requests) = ec2(|_, body| {
            if body.starts_with("Action=DescribeVpcs") {
                return (200, "<DescribeVpcsResponse><vpcSet><item><vpcId>vpc-9</vpcId></item></vpcSet></DescribeVpcsResponse>".to_owned());
            }
            let named = item("sg-0b").replace("app &amp; co", "A*b?\\c");
            (200, answer(&format!("{}{named}", item("sg-0a")), None))
        });
        let observation = ec2
            .find(Query::Names(&["a*B?\\c".to_owned()]), Owner::This)
            .await
            .unwrap();
        assert_eq!(observation.groups.len(), 1);
        let sent = bodies(&requests).remove(1);
        assert!(sent.iter().any(|(_, value)| value == "vpc-9"), "{sent:?}");
        assert!(
            sent.contains(&(
                "Filter.1.Value.1".to_owned(),
                "a%5C%2AB%5C%3F%5C%5Cc".to_owned()
            )),
            "{sent:?}"
        );
    }

    #[tokio::test]
    async fn rules_come_with_their_ids_from_all_pages() {
        let rule = |id: &str, rest: &str| {
            format!(
                "<item><securityGroupRuleId>{id}</securityGroupRuleId><groupId>sg-0a</groupId>{rest}</item>"
            )
        };
        let (ec2, requests) = ec2(move |number, _| {
            let referenced = "<referencedGroupInfo><groupId>sg-0b</groupId></referencedGroupInfo>";
            let page = match number {
                0 => [
                    rule("sgr-1", &format!("<isEgress>false</isEgress><ipProtocol>-1</ipProtocol><fromPort>-1</fromPort><toPort>-1</toPort>{referenced}")),
                    rule("sgr-2", &format!("<isEgress>true</isEgress><ipProtocol>-1</ipProtocol>{referenced}")),
                    rule("sgr-3", "<isEgress>false</isEgress><ipProtocol>-1</ipProtocol><cidrIpv4>0.0.0.0/0</cidrIpv4>"),
                ]
                .concat(),
                _ => rule("sgr-4", &format!("<isEgress>false</isEgress><ipProtocol>tcp</ipProtocol><fromPort>0</fromPort><toPort>65535</toPort>{referenced}")),
            };
            let next = if number == 0 {
                "<nextToken>more</nextToken>"
            } else {
                ""
            };
            (
                200,
                format!(
                    "<DescribeSecurityGroupRulesResponse><securityGroupRuleSet>{page}</securityGroupRuleSet>{next}</DescribeSecurityGroupRulesResponse>"
                ),
            )
        });
        let rules = ec2.rules(&[GroupId::new("sg-0a")]).await.unwrap();
        let traffic: Vec<_> = rules
            .iter()
            .map(|rule| {
                (
                    rule.rule_id.as_ref().map_or("", |id| id.as_str()),
                    rule.traffic.from_port,
                )
            })
            .collect();
        assert_eq!(traffic, [("sgr-1", None), ("sgr-4", Some(0))]);
        assert_eq!(bodies(&requests).len(), 2);
    }

    #[tokio::test]
    async fn throttling_is_retried_and_then_reported_as_such() {
        let (ec2, requests) = ec2(|number, _| {
            if number < 3 {
                (503, error("RequestLimitExceeded"))
            } else {
                (200, answer("", None))
            }
        });
        ec2.page(None).await.unwrap();
        assert_eq!(requests.lock().unwrap().len(), 4);
        let (ec2, requests) = self::ec2(|_, _| (503, error("RequestLimitExceeded")));
        let failure = ec2.page(None).await.unwrap_err();
        assert!(
            failure.is_retryable() && failure.to_string().contains("RequestLimitExceeded"),
            "{failure}"
        );
        assert_eq!(requests.lock().unwrap().len(), 4);
    }

    #[tokio::test]
    async fn every_error_is_of_its_kind_and_says_where() {
        for (status, body, is_retryable, says) in [
            (
                403,
                error("UnauthorizedOperation"),
                false,
                "the role needs ec2:DescribeSecurityGroups",
            ),
            (
                401,
                error("AuthFailure"),
                false,
                "credentials are not valid",
            ),
            (
                400,
                error("InvalidParameterValue"),
                false,
                "because (InvalidParameterValue)",
            ),
            (500, error("InternalError"), true, "because (InternalError)"),
            (
                503,
                "<html>unavailable</html>".to_owned(),
                true,
                "HTTP status 503",
            ),
            (
                200,
                "<html>captive portal</html>".to_owned(),
                true,
                "ec2 DescribeSecurityGroups",
            ),
            (200, String::new(), true, "ec2 DescribeSecurityGroups"),
            (
                200,
                answer("<item><groupName>no id</groupName></item>", None),
                true,
                "without an id",
            ),
            (
                200,
                answer(&item("sg-0a").replace("65535", "many"), None),
                true,
                "ec2 DescribeSecurityGroups",
            ),
        ] {
            let (ec2, _) = ec2(move |_, _| (status, body.clone()));
            let failure = ec2.page(None).await.unwrap_err();
            let text = failure.to_string();
            assert_eq!(failure.is_retryable(), is_retryable, "{text}");
            assert!(
                text.contains(says) && text.contains("account 111111111111, region eu-west-1"),
                "{text}"
            );
        }
    }

    /// An answer that was cut anywhere must not pass for a shorter one: a group without its permissions would be PASSED.
    #[tokio::test]
    async fn an_answer_that_was_cut_is_no_answer() {
        let whole = answer(&item("sg-0a"), Some("next"));
        for length in (0..whole.len())
            .step_by(7)
            .chain(whole.len() - 40..whole.len())
        {
            let cut = whole.get(..length).unwrap().to_owned();
            let (ec2, _) = ec2(move |_, _| (200, cut.clone()));
            let answered = ec2.page(None).await;
            assert!(
                answered.is_err(),
                "cut at {length} of {}: {answered:?}",
                whole.len()
            );
        }
    }
}
