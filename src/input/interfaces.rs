//! Network interfaces from JSON: the output of `aws ec2 describe-network-interfaces`, an array, one bare interface, or
//! several such documents.

use serde::Deserialize as _;
use serde_json::value::RawValue;

use super::error::{InputError, Problem};
use super::members::Members;
use super::strict::{Rules, Strict};
use super::words::words;
use crate::model::NetworkInterface;
use crate::text::truncate;

const RULES: Rules = Rules {
    required: &[],
    refused: &["NetworkInterfaces", "NextToken"],
    command: COMMAND,
};
const COMMAND: &str = "aws ec2 describe-network-interfaces";
const LIST: &str = "NetworkInterfaces";

/// An interface, or what is wrong with it or its document.
type Read = Result<NetworkInterface, InputError>;

/// Reads a file of network interfaces; the name is for errors.
#[must_use]
pub fn read_interfaces(file: &str, text: &str) -> Vec<Read> {
    read(file, text, Documents::OfInterfaces)
}

/// Reads the network interfaces beside the groups of a file of groups, if there are any: the file is read twice. What is
/// wrong with the other documents is not told here.
#[must_use]
pub fn interfaces_beside_groups(file: &str, text: &str) -> Vec<Read> {
    if memchr::memmem::find(text.as_bytes(), LIST.as_bytes()).is_none() {
        return Vec::new();
    }
    read(file, text, Documents::OfGroups)
}

/// The documents that a file is expected to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Documents {
    OfInterfaces,
    OfGroups,
}

fn read(file: &str, text: &str, documents: Documents) -> Vec<Read> {
    let error = |problem: Problem| Err(InputError::of_file(file, problem));
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut found = Vec::new();
    let mut has_document = false;
    for document in serde_json::Deserializer::from_str(text).into_iter::<&RawValue>() {
        has_document = true;
        match document {
            Ok(document) => {
                let read = read_document(document, documents).into_iter();
                found.extend(read.map(|read| read.or_else(error)));
            }
            Err(broken) if documents == Documents::OfInterfaces => {
                let line = broken.line();
                let problem = format!("not JSON at line {line}: {}", words(&broken));
                found.push(error(problem.into()));
            }
            // Whoever reads the groups says so.
            Err(_) => {}
        }
    }
    if !has_document && documents == Documents::OfInterfaces {
        found.push(error(Problem::Empty));
    }
    found
}

fn read_document(json: &RawValue, documents: Documents) -> Vec<Result<NetworkInterface, Problem>> {
    match json.get().as_bytes().first() {
        Some(b'{') => object(json, documents),
        Some(b'[') => match serde_json::from_str::<Vec<&RawValue>>(json.get()) {
            Ok(elements) => elements
                .into_iter()
                .flat_map(|element| object(element, documents))
                .collect(),
            Err(error) => vec![Err(words(&error).into())],
        },
        _ => unfit(json, documents),
    }
}

fn object(json: &RawValue, documents: Documents) -> Vec<Result<NetworkInterface, Problem>> {
    let Ok(members) = serde_json::from_str::<Members<'_>>(json.get()) else {
        return unfit(json, documents);
    };
    if documents == Documents::OfInterfaces && members.has("NetworkInterfaceId") {
        return vec![interface(json)];
    }
    let Some(list) = members.get(LIST) else {
        return unfit(json, documents);
    };
    if let Err(problem) = members.check_pages() {
        return vec![Err(problem)];
    }
    match serde_json::from_str::<Vec<&RawValue>>(list.get()) {
        Ok(interfaces) => interfaces.into_iter().map(interface).collect(),
        Err(_) => vec![Err(Problem::Content(format!(
            "`{LIST}` is {}, not a list: give the output of `{COMMAND}` as it is",
            truncate(list.get(), 40)
        )))],
    }
}

fn unfit(json: &RawValue, documents: Documents) -> Vec<Result<NetworkInterface, Problem>> {
    if documents == Documents::OfGroups {
        return Vec::new();
    }
    vec![Err(Problem::Content(format!(
        "neither a network interface nor an answer with `{LIST}` ({}): give the output of `{COMMAND}`",
        truncate(json.get(), 40)
    )))]
}

fn interface(json: &RawValue) -> Result<NetworkInterface, Problem> {
    let mut deserializer = serde_json::Deserializer::from_str(json.get());
    let strict = Strict::new(&mut deserializer, &RULES);
    NetworkInterface::deserialize(strict).map_err(|error| {
        let members = serde_json::from_str::<Members<'_>>(json.get()).ok();
        let id = members.and_then(|members| Some(members.get("NetworkInterfaceId")?.get().to_owned()));
        let id = id.map(|id| format!(" {}", truncate(&id, 60))).unwrap_or_default();
        Problem::Content(format!(
            "network interface{id}: {} (null would do for a list): give the output of `{COMMAND}`, whole",
            words(&error)
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::InterfaceKind;

    const INTERFACE: &str = r#"{"NetworkInterfaceId":"eni-1","InterfaceType":"interface","OwnerId":"111111111111","VpcId":"vpc-1",
        "Groups":[{"GroupId":"sg-a","GroupName":"web"}],"Attachment":{"InstanceId":"i-1","AttachTime":"2026-01-01"},
        "Association":{"PublicIp":"198.51.100.1"},"PrivateIpAddresses":[{"Association":null}],"Ipv6Addresses":null}"#;

    fn texts(read: Vec<Read>) -> Vec<String> {
        let text = |read: Read| {
            read.map_or_else(|error| error.to_string(), |one| one.network_interface_id)
        };
        read.into_iter().map(text).collect()
    }

    #[test]
    fn every_form_of_file_is_read() {
        let other = INTERFACE.replace("eni-1", "eni-2");
        for text in [
            format!(r#"{{"NetworkInterfaces":[{INTERFACE},{other}]}}"#),
            format!(r#"{{"NetworkInterfaces":[{INTERFACE},{other}],"NextToken":null}}"#),
            format!("[{INTERFACE},{other}]"),
            format!("{INTERFACE}\n{other}"),
            format!(r#"[{{"NetworkInterfaces":[{INTERFACE}]}},{{"NetworkInterfaces":[{other}]}}]"#),
            format!(
                "\u{feff}{{\"NetworkInterfaces\":[{INTERFACE}]}}\n{{\"NetworkInterfaces\":[{other}]}}"
            ),
            format!(r#"{{"SecurityGroups":[],"NetworkInterfaces":[{INTERFACE},{other}]}}"#),
        ] {
            assert_eq!(
                texts(read_interfaces("f", &text)),
                ["eni-1", "eni-2"],
                "{text}"
            );
        }
        assert!(read_interfaces("f", r#"{"NetworkInterfaces":[]}"#).is_empty());
    }

    #[test]
    fn what_holds_no_interfaces_is_an_error() {
        for (text, says) in [
            (
                "",
                "f: no JSON document: it is empty (did the command that should fill it fail?)",
            ),
            ("An error occurred", "f: not JSON at line 1: expected value"),
            (
                "{}",
                "f: neither a network interface nor an answer with `NetworkInterfaces` ({}): give the output of `aws ec2 describe-network-interfaces`",
            ),
            (
                "7",
                "f: neither a network interface nor an answer with `NetworkInterfaces` (7): give the output of `aws ec2 describe-network-interfaces`",
            ),
            (
                r#"{"NetworkInterfaces":null}"#,
                "f: `NetworkInterfaces` is null, not a list: give the output of `aws ec2 describe-network-interfaces` as it is",
            ),
            (
                r#"{"NetworkInterfaces":[],"NextToken":"x"}"#,
                "f: there is a NextToken: this is one page of several, and the others are missing (leave out --no-paginate, --max-items and --max-results)",
            ),
            (
                r#"{"NetworkInterfaceId":"eni-1"}"#,
                "f: network interface \"eni-1\": `Groups` is missing (null would do for a list): give the output of `aws ec2 describe-network-interfaces`, whole",
            ),
            (
                r#"{"NetworkInterfaceId":"eni-1","groups":[]}"#,
                "f: network interface \"eni-1\": must be spelt `Groups`, as `aws ec2 describe-network-interfaces` prints it",
            ),
            (
                r#"{"NetworkInterfaceId":"eni-1","Groups":[{}]}"#,
                "f: network interface \"eni-1\": `GroupId` is missing",
            ),
        ] {
            let found = texts(read_interfaces("f", text));
            assert!(
                found.len() == 1 && found[0].starts_with(says),
                "{text}: {found:?}"
            );
        }
    }

    #[test]
    fn interfaces_stand_beside_groups() {
        let groups = format!(
            r#"{{"SecurityGroups":[{{"GroupId":"sg-a","IpPermissions":[]}}],"NetworkInterfaces":[{INTERFACE}]}}"#
        );
        assert_eq!(texts(interfaces_beside_groups("f", &groups)), ["eni-1"]);
        assert_eq!(
            texts(interfaces_beside_groups("f", &format!("[{groups}]"))),
            ["eni-1"]
        );
        let none = r#"{"SecurityGroups":[{"GroupId":"NetworkInterfaces","IpPermissions":[]}]}"#;
        assert!(interfaces_beside_groups("f", none).is_empty());
        let broken = groups.replace("\"Groups\"", "\"groups\"");
        assert_eq!(texts(interfaces_beside_groups("f", &broken)).len(), 1);
    }

    #[test]
    fn addresses_and_types_are_told() {
        let read = |json: &str| read_interfaces("f", json).remove(0).unwrap();
        let of = |members: &str| {
            read(&format!(
                r#"{{"NetworkInterfaceId":"eni-1","Groups":null{members}}}"#
            ))
        };
        let whole = read(INTERFACE);
        assert_eq!(
            (
                whole.machine(),
                whole.has_public_v4(),
                whole.has_public_v6()
            ),
            ("i-1", true, false)
        );
        assert_eq!(of("").machine(), "eni-1");
        assert!(!of("").has_public_v4());
        assert!(
            of(r#","PrivateIpAddresses":[{},{"Association":{"PublicIp":"198.51.100.1"}}]"#)
                .has_public_v4()
        );
        assert!(of(r#","Association":{"CarrierIp":"198.51.100.1"}"#).has_public_v4());
        for (address, is_public) in [
            ("2a05:d018::1", true),
            ("fd00::1", false),
            ("fe80::1", false),
            ("x", false),
        ] {
            let one = of(&format!(
                r#","Ipv6Addresses":[{{"Ipv6Address":"{address}"}}]"#
            ));
            assert_eq!(one.has_public_v6(), is_public, "{address}");
        }
        for (word, kind) in [
            ("lambda", InterfaceKind::Sender),
            ("nat_gateway", InterfaceKind::Passage),
            ("natGateway", InterfaceKind::Passage),
            ("gateway_load_balancer_endpoint", InterfaceKind::Passage),
            ("interface", InterfaceKind::Machine),
            ("network_load_balancer", InterfaceKind::Machine),
            ("something_new", InterfaceKind::Machine),
        ] {
            assert_eq!(
                of(&format!(r#","InterfaceType":"{word}""#)).kind(),
                kind,
                "{word}"
            );
        }
    }
}
