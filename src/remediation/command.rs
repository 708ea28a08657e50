//! What to do about a violation: the commands, ready for a POSIX shell.
//!
//! The revoke command names one source alone, so the other sources of the same permission stay. Security group rules
//! are matched by exact protocol, ports and source:
//! <https://docs.aws.amazon.com/cli/latest/reference/ec2/revoke-security-group-ingress.html>.

use serde::Serialize;

use crate::model::{GroupId, Region, RuleId, Traffic};
use crate::policy::{Source, Violation};

/// The two commands for one violation. A command is absent where none can be given: for a source that
/// nothing names, and where it would hold a NUL, which no shell takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// Takes the rules back.
    pub revoke: Option<String>,
    /// Allows what is needed instead, once `FROM_PORT` and `TO_PORT` are filled in: as it stands it is not valid JSON,
    /// so the AWS CLI refuses to run it.
    pub authorize: Option<String>,
}

/// Where the person who pastes `authorize` puts the ports.
const PORTS_TO_FILL_IN: &str = r#""FromPort":FROM_PORT,"ToPort":TO_PORT"#;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Permission<'a> {
    ip_protocol: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_port: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_port: Option<i64>,
    user_id_group_pairs: [Pair<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Pair<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    group_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vpc_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vpc_peering_connection_id: Option<&'a str>,
}

impl<'a> Pair<'a> {
    /// As little as names the source: id; account where it is another; VPC where it is peered.
    fn of(source: &'a Source) -> Self {
        let connection = source.peering_connection_id();
        let by_name = source.group_id.is_none();
        Self {
            group_id: source.group_id.as_ref().map(|id| id.as_str()),
            group_name: source.group_name.as_deref().filter(|_| by_name),
            user_id: source
                .owner_id
                .as_ref()
                .filter(|_| source.is_foreign || by_name)
                .map(|owner| owner.as_str()),
            vpc_id: source
                .vpc_id()
                .filter(|_| connection.is_some())
                .map(|id| id.as_str()),
            vpc_peering_connection_id: connection.map(|id| id.as_str()),
        }
    }
}

impl Fix {
    /// For a violation of the group with this id, in this Region where one is known.
    #[must_use]
    pub fn new(group_id: &GroupId, violation: &Violation, region: Option<&Region>) -> Self {
        if violation.source.group_id.is_none() && violation.source.group_name.is_none() {
            // Nothing names the source, so no command can.
            return Self {
                revoke: None,
                authorize: None,
            };
        }
        let by_ids = by_rule_ids(group_id, violation, region);
        let mut traffic: Vec<_> = violation.rules.iter().map(|rule| &rule.traffic).collect();
        traffic.dedup();
        let revoke: Vec<_> = traffic
            .into_iter()
            .map(|traffic| Permission::of(traffic, &violation.source))
            .collect();
        let authorize = [Permission {
            ip_protocol: if violation.protocol.is_all() {
                "tcp"
            } else {
                violation.protocol.as_str()
            },
            from_port: Some(0),
            to_port: Some(0),
            user_id_group_pairs: [Pair::of(&violation.source)],
        }];
        let authorize = serde_json::to_string(&authorize).ok();
        Self {
            revoke: by_ids.or_else(|| {
                let json = serde_json::to_string(&revoke).ok()?;
                command("revoke", group_id, region, &["--ip-permissions", &json])
            }),
            authorize: authorize
                .map(|json| json.replacen(r#""FromPort":0,"ToPort":0"#, PORTS_TO_FILL_IN, 1))
                .and_then(|json| {
                    command("authorize", group_id, region, &["--ip-permissions", &json])
                }),
        }
    }
}

impl<'a> Permission<'a> {
    fn of(traffic: &'a Traffic, source: &'a Source) -> Self {
        Self {
            ip_protocol: traffic.protocol.as_str(),
            from_port: traffic.from_port,
            to_port: traffic.to_port,
            user_id_group_pairs: [Pair::of(source)],
        }
    }
}

/// Where the rules behind it are known by their ids.
fn by_rule_ids(
    group_id: &GroupId,
    violation: &Violation,
    region: Option<&Region>,
) -> Option<String> {
    if violation.rule_ids.is_empty() {
        return None;
    }
    let ids = violation.rule_ids.iter().map(RuleId::as_str);
    let what: Vec<_> = std::iter::once("--security-group-rule-ids")
        .chain(ids)
        .collect();
    command("revoke", group_id, region, &what)
}

fn command(
    verb: &str,
    group_id: &GroupId,
    region: Option<&Region>,
    what: &[&str],
) -> Option<String> {
    let action = format!("{verb}-security-group-ingress");
    let mut words = vec!["aws", "ec2", &action];
    if let Some(region) = region {
        words.extend(["--region", region.as_str()]);
    }
    words.extend(["--group-id", group_id.as_str()]);
    words.extend(what);
    shlex::try_join(words).ok()
}

#[cfg(test)]
mod tests {
    use jiff::civil::Date;
    use proptest::prelude::*;

    use super::*;
    use crate::model::{IpPermission, SecurityGroup};
    use crate::policy::{ReferencedGroups, Settings};

    fn fixes(group: &str) -> Vec<Fix> {
        let group: SecurityGroup = serde_json::from_str(group).unwrap();
        let region = Region::new("eu-west-1");
        let verdict = crate::policy::evaluate(
            &Settings::default(),
            &group,
            &ReferencedGroups::default(),
            Date::MIN,
        );
        verdict
            .violations
            .iter()
            .map(|violation| Fix::new(&group.group_id, violation, Some(&region)))
            .collect()
    }

    #[test]
    fn the_commands_name_one_source_of_one_permission() {
        let fixes = fixes(
            r#"{"GroupId":"sg-0a","OwnerId":"111111111111","IpPermissions":[{"IpProtocol":"-1","UserIdGroupPairs":[
                {"GroupId":"sg-0b","UserId":"111111111111"},
                {"GroupId":"sg-0c","UserId":"222222222222","VpcId":"vpc-1","VpcPeeringConnectionId":"pcx-1"}]}]}"#,
        );
        let revoke: Vec<_> = fixes
            .iter()
            .map(|fix| fix.revoke.clone().unwrap())
            .collect();
        assert_eq!(
            revoke,
            [
                r#"aws ec2 revoke-security-group-ingress --region eu-west-1 --group-id sg-0a --ip-permissions '[{"IpProtocol":"-1","UserIdGroupPairs":[{"GroupId":"sg-0b"}]}]'"#,
                r#"aws ec2 revoke-security-group-ingress --region eu-west-1 --group-id sg-0a --ip-permissions '[{"IpProtocol":"-1","UserIdGroupPairs":[{"GroupId":"sg-0c","UserId":"222222222222","VpcId":"vpc-1","VpcPeeringConnectionId":"pcx-1"}]}]'"#,
            ]
        );
        assert_eq!(
            fixes[0].authorize.as_deref().unwrap(),
            r#"aws ec2 authorize-security-group-ingress --region eu-west-1 --group-id sg-0a --ip-permissions '[{"IpProtocol":"tcp","FromPort":FROM_PORT,"ToPort":TO_PORT,"UserIdGroupPairs":[{"GroupId":"sg-0b"}]}]'"#
        );
    }

    #[test]
    fn split_ranges_are_revoked_together() {
        let fixes = fixes(
            r#"{"GroupId":"sg-0a","IpPermissions":[
                {"IpProtocol":"tcp","FromPort":32768,"ToPort":65535,"UserIdGroupPairs":[{"GroupId":"sg-0b"}]},
                {"IpProtocol":"tcp","FromPort":0,"ToPort":32767,"UserIdGroupPairs":[{"GroupId":"sg-0b"},{"GroupId":"sg-0c"}]}]}"#,
        );
        assert_eq!(fixes.len(), 1);
        let words = shlex::split(fixes[0].revoke.as_deref().unwrap()).unwrap();
        let permissions: Vec<IpPermission> = serde_json::from_str(words.last().unwrap()).unwrap();
        let ports: Vec<_> = permissions
            .iter()
            .map(|p| (p.from_port, p.to_port, p.user_id_group_pairs.len()))
            .collect();
        assert_eq!(
            ports,
            [(Some(0), Some(32_767), 1), (Some(32_768), Some(65_535), 1)]
        );
    }

    fn words_by_sh(command: &str) -> Vec<String> {
        let script = format!("set -- {command}\nfor word; do printf '%s\\0' \"$word\"; done");
        let output = std::process::Command::new("sh")
            .args(["-c", &script])
            .output()
            .unwrap();
        assert!(output.status.success(), "{command}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_terminator('\0').map(str::to_owned).collect()
    }

    fn hostile_round_trip(id: &str, name: &str) {
        let group = serde_json::json!({"GroupId": id, "OwnerId": "111111111111", "IpPermissions": [
            {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupName": name, "UserId": "222222222222"}]}]});
        let fix = &fixes(&group.to_string())[0];
        for (command, is_json) in [(&fix.revoke, true), (&fix.authorize, false)] {
            let words = words_by_sh(command.as_deref().unwrap());
            assert_eq!(words.len(), 9, "{command:?}");
            assert_eq!(words[6], id);
            if is_json {
                let json: serde_json::Value = serde_json::from_str(&words[8]).unwrap();
                assert_eq!(json[0]["UserIdGroupPairs"][0]["GroupName"], name);
            }
        }
    }

    #[test]
    fn a_shell_gets_the_words_back() {
        let hostile = [
            "'; rm -rf / #",
            "$(id)`id`",
            "a\nb\tc",
            "\u{1b}[31m",
            "👩‍💻",
            "\u{202e}abc",
            "\\\"'",
            "*?[a]{b,c}~!^",
        ];
        for text in hostile {
            hostile_round_trip(text, text);
        }
        hostile_round_trip("sg-1", &"x'y".repeat(85));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn a_shell_gets_any_words_back(id in "[^\0]{1,20}", name in "[^\0]{1,40}") {
            hostile_round_trip(&id, &name);
        }
    }
}
