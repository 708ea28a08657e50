//! What is allowed in place of what is revoked: `tcp:443,tcp:5432` or `tcp:443,5432`.

use std::collections::BTreeSet;

use crate::model::{Protocol, Traffic};

/// A text that names no ports to allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplaceError {
    #[error(
        "{0:?} names no ports: write PROTO:PORT[-PORT], such as tcp:443,8000-8010 or tcp:443,udp:53"
    )]
    NoPorts(String),
    #[error("{0:?} is no protocol with ports: tcp and udp are")]
    Protocol(String),
    #[error("{0:?} is no port, 0 to 65535, and no range of ports from a lower to a higher one")]
    Port(String),
}

/// Reads ports by protocol. A protocol holds for the ports behind it, up to the next protocol.
///
/// # Errors
/// When a part has no protocol with ports, or no ports.
pub fn parse(text: &str) -> Result<Vec<Traffic>, ReplaceError> {
    let mut protocol = None;
    let mut traffic = BTreeSet::new();
    for part in text.split(',') {
        let ports = match part.split_once(':') {
            Some((name, ports)) => {
                let named = Protocol::new(name);
                if !matches!(named.as_str(), "tcp" | "udp") {
                    return Err(ReplaceError::Protocol(name.to_owned()));
                }
                protocol = Some(named);
                ports
            }
            None => part,
        };
        let protocol = protocol
            .clone()
            .ok_or_else(|| ReplaceError::NoPorts(text.to_owned()))?;
        let (from, to) = range(ports).ok_or_else(|| ReplaceError::Port(ports.to_owned()))?;
        traffic.insert(Traffic::new(protocol, Some(from), Some(to)));
    }
    Ok(traffic.into_iter().collect())
}

fn range(ports: &str) -> Option<(i64, i64)> {
    let port = |text: &str| text.trim().parse::<u16>().ok();
    let (from, to) = match ports.split_once('-') {
        Some((from, to)) => (port(from)?, port(to)?),
        None => (port(ports)?, port(ports)?),
    };
    (from <= to).then_some((i64::from(from), i64::from(to)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(String, i64, i64)>, ReplaceError> {
        let traffic = parse(text)?;
        let one = |traffic: &Traffic| {
            (
                traffic.protocol.to_string(),
                traffic.from_port.unwrap(),
                traffic.to_port.unwrap(),
            )
        };
        Ok(traffic.iter().map(one).collect())
    }

    #[test]
    fn a_protocol_holds_for_the_ports_behind_it() {
        let ports = |protocol: &str, from, to| (protocol.to_owned(), from, to);
        assert_eq!(
            read("tcp:443,5432,udp:53,6:8000-8010,443").unwrap(),
            [
                ports("tcp", 443, 443),
                ports("tcp", 5432, 5432),
                ports("tcp", 8000, 8010),
                ports("udp", 53, 53)
            ]
        );
    }

    #[test]
    fn what_names_no_ports_is_refused_with_the_part_that_is_wrong() {
        let said: Vec<_> = [
            "",
            "443",
            "tcp:",
            "tcp:443-80",
            "icmp:8",
            "-1:0-10",
            "tcp:65536",
            "tcp:1,,2",
        ]
        .iter()
        .map(|text| read(text).unwrap_err().to_string())
        .collect();
        insta::assert_snapshot!(said.join("\n"), @r#"
        "" names no ports: write PROTO:PORT[-PORT], such as tcp:443,8000-8010 or tcp:443,udp:53
        "443" names no ports: write PROTO:PORT[-PORT], such as tcp:443,8000-8010 or tcp:443,udp:53
        "" is no port, 0 to 65535, and no range of ports from a lower to a higher one
        "443-80" is no port, 0 to 65535, and no range of ports from a lower to a higher one
        "icmp" is no protocol with ports: tcp and udp are
        "-1" is no protocol with ports: tcp and udp are
        "65536" is no port, 0 to 65535, and no range of ports from a lower to a higher one
        "" is no port, 0 to 65535, and no range of ports from a lower to a higher one
        "#);
    }
}
