//! What to do about a violation: the commands, ready for a POSIX shell.
//!
//! A revoke command names one source alone, so the other sources of the same permission stay. Security group rules
//! are matched by exact protocol, ports and source:
//! <https://docs.aws.amazon.com/cli/latest/reference/ec2/revoke-security-group-ingress.html>.

use std::borrow::Cow;

use serde::Serialize;

use crate::model::{GroupId, Protocol, Region, RuleId};
use crate::policy::{OpenRule, Source, SourcePair, Violation};
use crate::text::{escape, utf16_len};

/// Longest command, in UTF-16 code units, where it can be split: as long as a product field of a finding.
const LONGEST_COMMAND: usize = 2048;

/// What to do about one violation: what is needed is allowed first, then the rules are revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// Allows what is needed, once the placeholders are filled in: as it stands it is not valid JSON, so the AWS CLI
    /// refuses to run it. Absent where nothing narrower can be allowed.
    pub authorize: Option<String>,
    /// The commands that together revoke the rules: more than one where one would be longer than a field of a finding.
    /// Empty where no command can.
    pub revoke: Vec<String>,
    /// Why a command is absent.
    pub note: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Permission<'a> {
    ip_protocol: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_port: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_port: Option<i64>,
    user_id_group_pairs: Vec<Pair<'a>>,
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

/// What a command calls a source: its id, or its name where there is none.
#[derive(Debug, Clone, Copy)]
pub struct SourceName<'a> {
    pub group_id: Option<&'a GroupId>,
    pub group_name: Option<&'a str>,
}

impl<'a> SourceName<'a> {
    fn of(source: &'a Source) -> Self {
        Self {
            group_id: source.group_id.as_ref(),
            group_name: source.group_name.as_deref(),
        }
    }
}

impl<'a> Pair<'a> {
    /// Id, or name where there is none; the account where it is known; VPC and connection where it is peered.
    fn new(source: SourceName<'a>, pair: &'a SourcePair) -> Self {
        let connection = pair.peering_connection_id.as_ref();
        let vpc = pair.vpc_id.as_ref().filter(|_| connection.is_some());
        Self {
            group_id: source.group_id.map(|id| id.as_str()),
            group_name: source.group_name.filter(|_| source.group_id.is_none()),
            user_id: pair.owner_id.as_ref().map(|owner| owner.as_str()),
            vpc_id: vpc.map(|id| id.as_str()),
            vpc_peering_connection_id: connection.map(|id| id.as_str()),
        }
    }
}

/// The commands that together revoke rules of a group by which it lets in one source. None where no command can: nothing
/// names the source, or a value holds a NUL.
#[must_use]
pub fn revoke(
    group_id: &GroupId,
    source: SourceName<'_>,
    rules: &[OpenRule],
    region: Option<&Region>,
) -> Vec<String> {
    if source.group_id.is_none() && source.group_name.is_none() || rules.is_empty() {
        return Vec::new();
    }
    let commands = Commands { group_id, region };
    commands.revoke_rules(source, rules).unwrap_or_default()
}

impl Fix {
    /// The fix of a violation of the group with this id, in this Region where one is known.
    #[must_use]
    pub fn new(group_id: &GroupId, violation: &Violation, region: Option<&Region>) -> Self {
        let source = &violation.source;
        if source.group_id.is_none() && source.group_name.is_none() {
            return Self::impossible("the permission names its source neither by id nor by name");
        }
        let commands = Commands { group_id, region };
        let (Some(revoke), Some(authorize)) = (
            commands.revoke(violation),
            commands.authorize(&violation.protocol, source),
        ) else {
            return Self::impossible("a value of the rule holds a NUL, which no shell takes");
        };
        let note = why_nothing_narrower(&violation.protocol, source);
        Self {
            authorize: note.is_none().then_some(authorize),
            revoke,
            note,
        }
    }

    fn impossible(why: &str) -> Self {
        Self {
            authorize: None,
            revoke: Vec::new(),
            note: Some(format!("no command can revoke it: {why}")),
        }
    }
}

/// Why nothing narrower than the violation can be allowed from its source, where that is so.
fn why_nothing_narrower(protocol: &Protocol, source: &Source) -> Option<String> {
    if !protocol.is_all() && !protocol.has_port_members() {
        return Some(format!(
            "protocol {} has no ports, so nothing narrower can be allowed: make sure that nothing needs it before you revoke",
            escape(protocol.as_str())
        ));
    }
    let pair = source.main_pair()?;
    let status = escape(pair.stale_status()?);
    let connection = pair
        .peering_connection_id
        .as_ref()
        .map(|id| format!(" {}", escape(id.as_str())))
        .unwrap_or_default();
    Some(format!(
        "the peering connection{connection} is {status}: nothing can be allowed over it"
    ))
}

/// The commands for one group. None is given where a value holds a NUL.
struct Commands<'a> {
    group_id: &'a GroupId,
    region: Option<&'a Region>,
}

impl Commands<'_> {
    fn revoke(&self, violation: &Violation) -> Option<Vec<String>> {
        if !violation.rule_ids.is_empty() {
            return in_parts(&violation.rule_ids, &|ids| {
                let option = std::iter::once("--security-group-rule-ids");
                let what: Vec<_> = option.chain(ids.iter().map(RuleId::as_str)).collect();
                self.command("revoke", &what)
            });
        }
        self.revoke_rules(SourceName::of(&violation.source), &violation.rules)
    }

    fn revoke_rules(&self, source: SourceName<'_>, rules: &[OpenRule]) -> Option<Vec<String>> {
        in_parts(rules, &|rules| {
            let permissions: Vec<_> = rules
                .chunk_by(|a, b| a.traffic == b.traffic)
                .filter_map(|rules| permission(rules, source))
                .collect();
            let json = serde_json::to_string(&permissions).ok()?;
            self.command("revoke", &["--ip-permissions", &json])
        })
    }

    fn authorize(&self, protocol: &Protocol, source: &Source) -> Option<String> {
        let pairs = source
            .pairs
            .iter()
            .filter(|pair| pair.stale_status().is_none());
        let permission = Permission {
            ip_protocol: if protocol.is_all() {
                "tcp"
            } else {
                protocol.as_str()
            },
            from_port: Some(0),
            to_port: Some(0),
            user_id_group_pairs: pairs
                .map(|pair| Pair::new(SourceName::of(source), pair))
                .collect(),
        };
        let placeholders = if protocol.is_icmp() {
            r#""FromPort":ICMP_TYPE,"ToPort":ICMP_CODE"#
        } else {
            r#""FromPort":FROM_PORT,"ToPort":TO_PORT"#
        };
        let json = serde_json::to_string(&[permission]).ok()?;
        let json = json.replacen(r#""FromPort":0,"ToPort":0"#, placeholders, 1);
        self.command("authorize", &["--ip-permissions", &json])
    }

    fn command(&self, verb: &str, what: &[&str]) -> Option<String> {
        let mut command = format!("aws ec2 {verb}-security-group-ingress");
        let region = self.region.map(|region| ["--region", region.as_str()]);
        let group = ["--group-id", self.group_id.as_str()];
        for word in region.iter().flatten().chain(&group).chain(what) {
            command.push(' ');
            command.push_str(&quote(word)?);
        }
        Some(command)
    }
}

/// A word for a POSIX shell, as shlex quotes it; none with a NUL.
fn quote(word: &str) -> Option<Cow<'_, str>> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !word.is_empty() && word.bytes().all(is_name) {
        return Some(Cow::Borrowed(word));
    }
    // JSON, the longest word, has nothing that means anything between single quotes.
    let is_safe =
        |byte: u8| matches!(byte, b' '..=b'~') & !matches!(byte, b'\'' | b'!' | b'^' | b'\\');
    if word.starts_with('[') && word.bytes().fold(true, |safe, byte| safe & is_safe(byte)) {
        return Some(Cow::Owned(format!("'{word}'")));
    }
    shlex::try_quote(word).ok()
}

/// Rules of the same traffic as one permission.
fn permission<'a>(rules: &'a [OpenRule], source: SourceName<'a>) -> Option<Permission<'a>> {
    let traffic = &rules.first()?.traffic;
    Some(Permission {
        ip_protocol: traffic.protocol.as_str(),
        from_port: traffic.from_port,
        to_port: traffic.to_port,
        user_id_group_pairs: rules
            .iter()
            .map(|rule| Pair::new(source, &rule.pair))
            .collect(),
    })
}

/// One command for all items, or several where one would be too long. A command for a single item stays as long as it is.
fn in_parts<T>(items: &[T], command: &impl Fn(&[T]) -> Option<String>) -> Option<Vec<String>> {
    let whole = command(items)?;
    let (first, second) = items.split_at(items.len() / 2);
    if first.is_empty() || utf16_len(&whole) <= LONGEST_COMMAND {
        return Some(vec![whole]);
    }
    let mut commands = in_parts(first, command)?;
    commands.extend(in_parts(second, command)?);
    Some(commands)
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
        let revoke: Vec<_> = fixes.iter().map(|fix| fix.revoke.concat()).collect();
        assert_eq!(
            revoke,
            [
                r#"aws ec2 revoke-security-group-ingress --region eu-west-1 --group-id sg-0a --ip-permissions '[{"IpProtocol":"-1","UserIdGroupPairs":[{"GroupId":"sg-0b","UserId":"111111111111"}]}]'"#,
                r#"aws ec2 revoke-security-group-ingress --region eu-west-1 --group-id sg-0a --ip-permissions '[{"IpProtocol":"-1","UserIdGroupPairs":[{"GroupId":"sg-0c","UserId":"222222222222","VpcId":"vpc-1","VpcPeeringConnectionId":"pcx-1"}]}]'"#,
            ]
        );
        assert_eq!(
            fixes[0].authorize.as_deref().unwrap(),
            r#"aws ec2 authorize-security-group-ingress --region eu-west-1 --group-id sg-0a --ip-permissions '[{"IpProtocol":"tcp","FromPort":FROM_PORT,"ToPort":TO_PORT,"UserIdGroupPairs":[{"GroupId":"sg-0b","UserId":"111111111111"}]}]'"#
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
        let words = shlex::split(&fixes[0].revoke[0]).unwrap();
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
        for (command, is_json) in [
            (&fix.revoke[0], true),
            (fix.authorize.as_ref().unwrap(), false),
        ] {
            let words = words_by_sh(command);
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

    proptest! {
        #[test]
        fn words_are_quoted_as_shlex_quotes_them(word in "([a-zA-Z0-9_-]{0,20}|\\[[ -~]{0,30}\\]|\\[[a-z\",:{}]*\\]|\\PC*)") {
            prop_assert_eq!(quote(&word).map(Cow::into_owned), shlex::try_quote(&word).ok().map(Cow::into_owned));
        }
    }
}
