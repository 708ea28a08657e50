//! Whole messages: what is wrong, where, and what to do.

use super::*;

#[test]
fn messages_tell_what_is_wrong_and_what_to_do() {
    let mut said = String::new();
    for text in [
        "",
        "An error occurred (AuthFailure) when calling the DescribeSecurityGroups operation\n",
        "SecurityGroups:\n- Description: default\n  GroupId: sg-1\n",
        "- GroupId: sg-1\n  IpPermissions: []\n",
        "------------------\n|DescribeSecurityGroups|\n",
        "SECURITYGROUPS\tdefault\tsg-1\n",
        "<DescribeSecurityGroupsResponse>\n",
        r#"{"SecurityGroups":[],"NextToken":"eyJ"}"#,
        r#"{"NextToken":"eyJ","SecurityGroups":[]}"#,
        r#"{"SecurityGroups":null}"#,
        r#"{"SecurityGroups":{}}"#,
        r#"{"SecurityGroups":[],"SecurityGroups":[]}"#,
        r#"{"securityGroups":[]}"#,
        r#"{"nextToken":"x","SecurityGroups":[]}"#,
        r#"{"SecurityGroups":[],"GroupId":"sg-1","IpPermissions":[]}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[],"NextToken":"x"}"#,
        "null",
        "3",
        "{}",
        r#"{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7}"#,
        r#"{"data":{"SecurityGroups":[]}}"#,
        r#"{"SecurityGroupRules":[{"SecurityGroupRuleId":"sgr-1","GroupId":"sg-1"}]}"#,
        r#"[{"SecurityGroupRuleId":"sgr-1","GroupId":"sg-1"}]"#,
        r#"{"NetworkInterfaces":[],"Other":1}"#,
        r#"{"version":"0","detail-type":"AWS API Call via CloudTrail","detail":{}}"#,
        r#"{"eventVersion":"1","eventSource":"ec2.amazonaws.com","eventName":"X"}"#,
        r#"{"Records":[]}"#,
        r#"{"resourceType":"AWS::EC2::SecurityGroup","configuration":{}}"#,
        r#"{"format_version":"1.2","terraform_version":"1.9","planned_values":{}}"#,
        r#"{"AWSTemplateFormatVersion":"2010-09-09","Resources":{}}"#,
        r#"{"version":1,"policy":"x","groups":[]}"#,
        r#"{"groupId":"sg-1","ipPermissions":[]}"#,
        r#"{"GroupId":"sg-1"}"#,
        r#"{"GroupId":"","IpPermissions":[]}"#,
        r#"{"GroupId":null,"IpPermissions":[]}"#,
        r#"{"GroupId":7,"IpPermissions":[]}"#,
        r#"{"IpPermissions":[]}"#,
        r#"{"GroupId":"sg-1","ipPermissions":[]}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[],"IpPermissions":[]}"#,
        r#"{"GroupId":"sg-1","IpPermissions":{}}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[null]}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[["tcp"]]}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[{"IpProtocol":"-1"}]}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[{"IpProtocol":"-1","UserIdGroupPair":[{"GroupId":"sg-2"}]}]}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[{"userIdGroupPairs":[{}]}]}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[{"UserIdGroupPairs":null,"FROMPORT":1}]}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[{"UserIdGroupPairs":[{"GroupId":"sg-2"},{"groupId":"sg-2"}]}]}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[{"UserIdGroupPairs":null,"FromPort":"0"}]}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[{"UserIdGroupPairs":null,"FromPort":22.5}]}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[{"UserIdGroupPairs":null,"ToPort":true}]}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[{"UserIdGroupPairs":{}}]}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[{"UserIdGroupPairs":null,"IpProtocol":[]}]}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[],"Tags":[{"key":"a"}]}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[],"Tags":"a"}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[],"OwnerId":123456789012}"#,
        r#"[{"GroupId":"sg-1"},[[]],{"SecurityGroups":[3]}]"#,
        "{'SecurityGroups': []}",
        "[\n{\"GroupId\":\"sg-1\",\n\"IpPermissions\":[\n{\"UserIdGroupPairs\":null,\"FromPort\":\"x\"}]}]",
    ] {
        let (ids, errors) = read(text);
        assert!(ids.is_empty() && !errors.is_empty(), "{text}: {errors:?}");
        said += &format!("> {}\n", text.trim());
        for error in errors {
            said += &format!("    {error}\n");
        }
    }
    insta::assert_snapshot!(said, @r#"
    > 
        f: no JSON document: it is empty (did the command that should fill it fail?)
    > An error occurred (AuthFailure) when calling the DescribeSecurityGroups operation
        f:1: not JSON: it begins with `An error occurred (AuthFailure) when calling the DescribeSe…`: give the output of `aws ec2 describe-security-groups`
    > SecurityGroups:
    - Description: default
      GroupId: sg-1
        f:1: not JSON: it looks like YAML: give the output of `aws ec2 describe-security-groups` with `--output json`
    > - GroupId: sg-1
      IpPermissions: []
        f:1: not JSON: it looks like YAML: give the output of `aws ec2 describe-security-groups` with `--output json`
    > ------------------
    |DescribeSecurityGroups|
        f:1: not JSON: it looks like a table: give the output of `aws ec2 describe-security-groups` with `--output json`
    > SECURITYGROUPS	default	sg-1
        f:1: not JSON: it looks like the text format of the AWS CLI: give the output of `aws ec2 describe-security-groups` with `--output json`
    > <DescribeSecurityGroupsResponse>
        f:1: not JSON: it looks like XML: give the output of `aws ec2 describe-security-groups` with `--output json`
    > {"SecurityGroups":[],"NextToken":"eyJ"}
        f:1: there is a NextToken: this is one page of several, and the others are missing (leave out --no-paginate, --max-items and --max-results)
    > {"NextToken":"eyJ","SecurityGroups":[]}
        f:1: there is a NextToken: this is one page of several, and the others are missing (leave out --no-paginate, --max-items and --max-results)
    > {"SecurityGroups":null}
        f:1: `SecurityGroups` is null, not a list: give the output of `aws ec2 describe-security-groups` as it is
    > {"SecurityGroups":{}}
        f:1: `SecurityGroups` is {}, not a list: give the output of `aws ec2 describe-security-groups` as it is
    > {"SecurityGroups":[],"SecurityGroups":[]}
        f:1: `SecurityGroups` stands there twice
    > {"securityGroups":[]}
        f:1: `securityGroups` must be spelt `SecurityGroups`, as `aws ec2 describe-security-groups` prints it (AWS Config and CloudTrail spell it otherwise): ignoring it could hide a violation
    > {"nextToken":"x","SecurityGroups":[]}
        f:1: `nextToken` must be spelt `NextToken`, as `aws ec2 describe-security-groups` prints it (AWS Config and CloudTrail spell it otherwise): ignoring it could hide a violation
    > {"SecurityGroups":[],"GroupId":"sg-1","IpPermissions":[]}
        f:1: it has `SecurityGroups` and members of a security group: give one or the other
    > {"GroupId":"sg-1","IpPermissions":[],"NextToken":"x"}
        f:1: there is a NextToken: this is one page of several, and the others are missing (leave out --no-paginate, --max-items and --max-results)
    > null
        f:1: neither a security group nor an answer with `SecurityGroups` (it is null): give the output of `aws ec2 describe-security-groups`, an array of groups, or one
    > 3
        f:1: neither a security group nor an answer with `SecurityGroups` (it is 3): give the output of `aws ec2 describe-security-groups`, an array of groups, or one
    > {}
        f:1: neither a security group nor an answer with `SecurityGroups` (it is an empty object): give the output of `aws ec2 describe-security-groups`, an array of groups, or one
    > {"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7}
        f:1: neither a security group nor an answer with `SecurityGroups` (it has `a`, `b`, `c`, `d`, `e` and 2 more members): give the output of `aws ec2 describe-security-groups`, an array of groups, or one
    > {"data":{"SecurityGroups":[]}}
        f:1: the groups are inside `data`: give that alone, as with `jq .data`
    > {"SecurityGroupRules":[{"SecurityGroupRuleId":"sgr-1","GroupId":"sg-1"}]}
        f:1: it is the answer of describe-security-group-rules, which has rules without their groups: give the output of `aws ec2 describe-security-groups`
    > [{"SecurityGroupRuleId":"sgr-1","GroupId":"sg-1"}]
        f:1: group [0]: it is a rule of describe-security-group-rules: give the output of `aws ec2 describe-security-groups`
    > {"NetworkInterfaces":[],"Other":1}
        f:1: it is the answer of describe-network-interfaces: give it to `sg-trust graph` or `sg-trust reach` with --interfaces
    > {"version":"0","detail-type":"AWS API Call via CloudTrail","detail":{}}
        f:1: it is an event of EventBridge: give it to `sg-trust targets` or `sg-trust replay`
    > {"eventVersion":"1","eventSource":"ec2.amazonaws.com","eventName":"X"}
        f:1: it is a CloudTrail record: give it to `sg-trust targets` or `sg-trust replay`
    > {"Records":[]}
        f:1: it is a CloudTrail log file, or a batch of SQS or SNS: give it to `sg-trust targets` or `sg-trust replay`
    > {"resourceType":"AWS::EC2::SecurityGroup","configuration":{}}
        f:1: it is an item of AWS Config: give it to `sg-trust targets` or `sg-trust replay`
    > {"format_version":"1.2","terraform_version":"1.9","planned_values":{}}
        f:1: it is a plan (for `sg-trust plan`) or a state of Terraform, not groups as they are in EC2: give the output of `aws ec2 describe-security-groups`
    > {"AWSTemplateFormatVersion":"2010-09-09","Resources":{}}
        f:1: it is a template of CloudFormation (for `sg-trust plan`), not groups as they are in EC2: give the output of `aws ec2 describe-security-groups`
    > {"version":1,"policy":"x","groups":[]}
        f:1: it is a report of sg-trust: give the output of `aws ec2 describe-security-groups`
    > {"groupId":"sg-1","ipPermissions":[]}
        f:1: `groupId` must be spelt `GroupId`, as `aws ec2 describe-security-groups` prints it (AWS Config and CloudTrail spell it otherwise): ignoring it could hide a violation
    > {"GroupId":"sg-1"}
        f:1: security group sg-1 has no `IpPermissions` (null would do): without it nothing can be said about the group
    > {"GroupId":"","IpPermissions":[]}
        f:1: a security group: GroupId must not be empty
    > {"GroupId":null,"IpPermissions":[]}
        f:1: a security group: GroupId must not be empty
    > {"GroupId":7,"IpPermissions":[]}
        f:1: a security group: GroupId is 7, and must be a string
    > {"IpPermissions":[]}
        f:1: a security group has no `GroupId`: give the output of `aws ec2 describe-security-groups`, whole
    > {"GroupId":"sg-1","ipPermissions":[]}
        f:1: security group sg-1: ipPermissions must be spelt `IpPermissions`, as `aws ec2 describe-security-groups` prints it (AWS Config and CloudTrail spell it otherwise): ignoring it could hide a violation
    > {"GroupId":"sg-1","IpPermissions":[],"IpPermissions":[]}
        f:1: security group sg-1 has `IpPermissions` twice
    > {"GroupId":"sg-1","IpPermissions":{}}
        f:1: security group sg-1: IpPermissions is an object, and must be a list
    > {"GroupId":"sg-1","IpPermissions":[null]}
        f:1: security group sg-1: IpPermissions[0] is null, and must be a permission
    > {"GroupId":"sg-1","IpPermissions":[["tcp"]]}
        f:1: security group sg-1: IpPermissions[0] is a list, and must be a permission
    > {"GroupId":"sg-1","IpPermissions":[{"IpProtocol":"-1"}]}
        f:1: security group sg-1: IpPermissions[0] has no `UserIdGroupPairs` (null would do): a --query that leaves it out hides the groups that are let in; give the output of `aws ec2 describe-security-groups`, whole
    > {"GroupId":"sg-1","IpPermissions":[{"IpProtocol":"-1","UserIdGroupPair":[{"GroupId":"sg-2"}]}]}
        f:1: security group sg-1: IpPermissions[0] has no `UserIdGroupPairs` (null would do): a --query that leaves it out hides the groups that are let in; give the output of `aws ec2 describe-security-groups`, whole
    > {"GroupId":"sg-1","IpPermissions":[{"userIdGroupPairs":[{}]}]}
        f:1: security group sg-1: IpPermissions[0].userIdGroupPairs must be spelt `UserIdGroupPairs`, as `aws ec2 describe-security-groups` prints it (AWS Config and CloudTrail spell it otherwise): ignoring it could hide a violation
    > {"GroupId":"sg-1","IpPermissions":[{"UserIdGroupPairs":null,"FROMPORT":1}]}
        f:1: security group sg-1: IpPermissions[0].FROMPORT must be spelt `FromPort`, as `aws ec2 describe-security-groups` prints it (AWS Config and CloudTrail spell it otherwise): ignoring it could hide a violation
    > {"GroupId":"sg-1","IpPermissions":[{"UserIdGroupPairs":[{"GroupId":"sg-2"},{"groupId":"sg-2"}]}]}
        f:1: security group sg-1: IpPermissions[0].UserIdGroupPairs[1].groupId must be spelt `GroupId`, as `aws ec2 describe-security-groups` prints it (AWS Config and CloudTrail spell it otherwise): ignoring it could hide a violation
    > {"GroupId":"sg-1","IpPermissions":[{"UserIdGroupPairs":null,"FromPort":"0"}]}
        f:1: security group sg-1: IpPermissions[0].FromPort is the string "0", and must be a whole number
    > {"GroupId":"sg-1","IpPermissions":[{"UserIdGroupPairs":null,"FromPort":22.5}]}
        f:1: security group sg-1: IpPermissions[0].FromPort is 22.5, and must be a whole number
    > {"GroupId":"sg-1","IpPermissions":[{"UserIdGroupPairs":null,"ToPort":true}]}
        f:1: security group sg-1: IpPermissions[0].ToPort is true, and must be a whole number
    > {"GroupId":"sg-1","IpPermissions":[{"UserIdGroupPairs":{}}]}
        f:1: security group sg-1: IpPermissions[0].UserIdGroupPairs is an object, and must be a list
    > {"GroupId":"sg-1","IpPermissions":[{"UserIdGroupPairs":null,"IpProtocol":[]}]}
        f:1: security group sg-1: IpPermissions[0].IpProtocol is a list, and must be a protocol's name or number
    > {"GroupId":"sg-1","IpPermissions":[],"Tags":[{"key":"a"}]}
        f:1: security group sg-1: Tags[0].key must be spelt `Key`, as `aws ec2 describe-security-groups` prints it (AWS Config and CloudTrail spell it otherwise): ignoring it could hide a violation
    > {"GroupId":"sg-1","IpPermissions":[],"Tags":"a"}
        f:1: security group sg-1: Tags is the string "a", and must be an object, or a list of {Key, Value}
    > {"GroupId":"sg-1","IpPermissions":[],"OwnerId":123456789012}
        f:1: security group sg-1: OwnerId is 123456789012, and must be a string
    > [{"GroupId":"sg-1"},[[]],{"SecurityGroups":[3]}]
        f:1: group [0]: security group sg-1 has no `IpPermissions` (null would do): without it nothing can be said about the group
        f:1: answer [1]: group [0]: a list within the list of an answer: its elements must be security groups
        f:1: answer [2]: group [0]: neither a security group nor an answer with `SecurityGroups` (it is 3): give the output of `aws ec2 describe-security-groups`, an array of groups, or one
    > {'SecurityGroups': []}
        f:1: not JSON: key must be a string
    > [
    {"GroupId":"sg-1",
    "IpPermissions":[
    {"UserIdGroupPairs":null,"FromPort":"x"}]}]
        f:4: group [0]: security group sg-1: IpPermissions[0].FromPort is the string "x", and must be a whole number
    "#);
    let (_, errors) = read(b"\xff\xfe{\0}\0");
    insta::assert_snapshot!(errors.concat(), @r#"f: it is UTF-16 (as > writes in Windows PowerShell): save it as UTF-8"#);
    let (_, errors) = read(b"[{\"GroupId\":\"\xff\",\"IpPermissions\":[]}]");
    insta::assert_snapshot!(errors.concat(), @r#"f:1: group [0]: it is not UTF-8: save the file as UTF-8"#);
}

#[test]
fn text_that_is_no_json_is_one_error() {
    let yaml = format!(
        "SecurityGroups:\n{}",
        "- Description: x\n  GroupId: sg-1\n  IpPermissions: []\n".repeat(60)
    );
    let garbage = "x".repeat(300_000);
    for text in [yaml, "nonsense\n".repeat(100), garbage] {
        let (ids, errors) = read(&text);
        assert!(ids.is_empty() && errors.len() == 1, "{errors:?}");
        let (ids, _) = read(format!("{text}\n{}\n", group("sg-a")));
        assert_eq!(ids, ["sg-a"]);
    }
}
