use std::sync::{Arc, Mutex};

use super::*;
use crate::aws::testing::{Answer, Requests, config, scope};
use crate::model::SecurityGroup;

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
    (
        Ec2::new(client(&config), scope(), Timeouts::EVENT),
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

fn interfaces(items: &str, token: Option<&str>) -> Answer {
    let token = token
        .map(|token| format!("<nextToken>{token}</nextToken>"))
        .unwrap_or_default();
    let answer = format!(
        "<DescribeNetworkInterfacesResponse><networkInterfaceSet>{items}</networkInterfaceSet>{token}</DescribeNetworkInterfacesResponse>"
    );
    (200, answer)
}

#[tokio::test]
async fn interfaces_come_from_all_pages_and_are_read_member_by_member() {
    let whole = "<item><networkInterfaceId>eni-1</networkInterfaceId><interfaceType>nat_gateway</interfaceType><ownerId>111111111111</ownerId>\
        <vpcId>vpc-1</vpcId><groupSet><item><groupId>sg-0a</groupId><groupName>web</groupName></item><item><groupId>sg-0b</groupId></item></groupSet>\
        <attachment><attachmentId>a</attachmentId><instanceId>i-1</instanceId></attachment>\
        <association><publicIp>198.51.100.1</publicIp></association>\
        <privateIpAddressesSet><item><privateIpAddress>10.0.0.1</privateIpAddress><association><carrierIp>198.51.100.2</carrierIp></association></item></privateIpAddressesSet>\
        <ipv6AddressesSet><item><ipv6Address>2a05::1</ipv6Address></item></ipv6AddressesSet></item>";
    let (ec2, requests) = ec2(move |number, _| match number {
        0 => interfaces(whole, Some("more")),
        _ => interfaces(
            "<item><networkInterfaceId>eni-2</networkInterfaceId><attachment><instanceId/></attachment></item>",
            None,
        ),
    });
    let expected: Vec<NetworkInterface> = serde_json::from_str(
        r#"[{"NetworkInterfaceId":"eni-1","InterfaceType":"nat_gateway","OwnerId":"111111111111","VpcId":"vpc-1",
            "Groups":[{"GroupId":"sg-0a"},{"GroupId":"sg-0b"}],"Attachment":{"InstanceId":"i-1"},"Association":{"PublicIp":"198.51.100.1"},
            "PrivateIpAddresses":[{"Association":{"CarrierIp":"198.51.100.2"}}],"Ipv6Addresses":[{"Ipv6Address":"2a05::1"}]},
            {"NetworkInterfaceId":"eni-2","Groups":[]}]"#,
    )
    .unwrap();
    assert_eq!(ec2.interfaces().await.unwrap(), expected);
    let bodies = bodies(&requests);
    let has = |body: &Vec<(String, String)>, name: &str, value: &str| {
        body.contains(&(name.to_owned(), value.to_owned()))
    };
    assert!(
        bodies
            .iter()
            .all(|body| has(body, "Action", "DescribeNetworkInterfaces")
                && has(body, "MaxResults", "1000"))
    );
    assert!(bodies.len() == 2 && has(&bodies[1], "NextToken", "more"));
}

#[tokio::test]
async fn interfaces_that_are_not_all_told_are_an_error() {
    for (answer, says) in [
        (
            (403, error("UnauthorizedOperation")),
            "the role needs ec2:DescribeNetworkInterfaces on resource *",
        ),
        (interfaces("<item/>", None), "without an id"),
        (
            interfaces(
                "<item><networkInterfaceId>eni-1</networkInterfaceId><groupSet><item/></groupSet></item>",
                None,
            ),
            "without an id",
        ),
    ] {
        let (ec2, _) = ec2(move |number, _| match number {
            0 => interfaces("", Some("more")),
            _ => answer.clone(),
        });
        let error = ec2.interfaces().await.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}
