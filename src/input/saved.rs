//! What was read of an account in a Region, kept in a file in the form in which the AWS CLI prints it: everything that
//! reads such files reads it back.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::ser::PrettyFormatter;

use crate::model::{AccountId, NetworkInterface, Region, Scope, SecurityGroup};

/// A file `ACCOUNT_REGION.json` of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedScope {
    directory: PathBuf,
    name: String,
}

/// A file that could not be kept, or not be removed.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    #[error("{}: the directory cannot be made", .0.display())]
    Directory(PathBuf, #[source] io::Error),
    #[error("{}: cannot be written", .0.display())]
    Write(PathBuf, #[source] io::Error),
    #[error("{}: what an earlier run has kept cannot be removed, and is out of date: remove it", .0.display())]
    Remove(PathBuf, #[source] io::Error),
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document<'a> {
    security_groups: &'a [SecurityGroup],
    #[serde(skip_serializing_if = "Option::is_none")]
    network_interfaces: Option<&'a [NetworkInterface]>,
}

impl SavedScope {
    /// Makes the directory where there is none.
    ///
    /// # Errors
    /// When there is none and it cannot be made.
    pub fn new(directory: &Path, scope: &Scope) -> Result<Self, SaveError> {
        std::fs::create_dir_all(directory)
            .map_err(|error| SaveError::Directory(directory.to_owned(), error))?;
        Ok(Self {
            directory: directory.to_owned(),
            name: format!("{}_{}", scope.account, scope.region),
        })
    }

    /// The files of an account that are there.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn of_account(directory: &Path, account: &AccountId) -> io::Result<Vec<Self>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(directory)? {
            let name = entry?.file_name();
            let name = name.to_str().and_then(|name| name.strip_suffix(".json"));
            let is_of_account = |name: &&str| {
                let region = name.strip_prefix(account.as_str());
                let region = region.and_then(|rest| rest.strip_prefix('_'));
                region.is_some_and(|region| Region::new(region).is_well_formed())
            };
            files.extend(name.filter(is_of_account).map(|name| Self {
                directory: directory.to_owned(),
                name: name.to_owned(),
            }));
        }
        Ok(files)
    }

    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.directory.join(format!("{}.json", self.name))
    }

    /// Writes the file, which only the user may read: a whole one takes the place of the old one at once.
    ///
    /// # Errors
    /// When it cannot be written: then the old one stays.
    pub fn write(
        &self,
        groups: &[SecurityGroup],
        interfaces: Option<&[NetworkInterface]>,
    ) -> Result<(), SaveError> {
        // Not `*.json`: whoever reads the directory meanwhile leaves it out.
        let part = format!(".{}.{}.part", self.name, std::process::id());
        let part = self.directory.join(part);
        let document = Document {
            security_groups: groups,
            network_interfaces: interfaces,
        };
        let written = write(&part, &document).and_then(|()| std::fs::rename(&part, self.path()));
        written.map_err(|error| {
            // It may not even be there; what went wrong first is told.
            let _ = std::fs::remove_file(&part);
            SaveError::Write(self.path(), error)
        })
    }

    /// Removes the file; gives back whether there was one.
    ///
    /// # Errors
    /// When there is one, and it cannot be removed.
    pub fn remove(&self) -> Result<bool, SaveError> {
        match std::fs::remove_file(self.path()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(SaveError::Remove(self.path(), error)),
        }
    }
}

fn write(path: &Path, document: &Document<'_>) -> io::Result<()> {
    // One that a process of the same number has left behind.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = BufWriter::new(create(path)?);
    let formatter = PrettyFormatter::with_indent(b"    ");
    document.serialize(&mut serde_json::Serializer::with_formatter(
        &mut file, formatter,
    ))?;
    file.write_all(b"\n")?;
    file.into_inner()?.sync_all()
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::input::{GroupReader, interfaces_beside_groups};
    use crate::model::{
        AccountId, Association, Attachment, GroupId, GroupPair, InterfaceGroup, IpPermission,
        IpRange, Ipv6Address, Ipv6Range, Partition, PeeringConnectionId, PrefixList,
        PrivateAddress, Protocol, Region, VpcId,
    };

    fn saved(directory: &Path) -> SavedScope {
        let scope = Scope {
            partition: Partition::new("aws"),
            region: Region::new("eu-west-1"),
            account: AccountId::new("111111111111"),
        };
        SavedScope::new(directory, &scope).unwrap()
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    /// A group with everything in it that a group can have.
    fn whole_group() -> SecurityGroup {
        let permission = IpPermission {
            ip_protocol: Protocol::new("tcp"),
            from_port: Some(0),
            to_port: Some(65_535),
            user_id_group_pairs: vec![GroupPair {
                group_id: Some(GroupId::new("sg-0b")),
                group_name: some("web"),
                user_id: Some(AccountId::new("222222222222")),
                vpc_id: Some(VpcId::new("vpc-2")),
                vpc_peering_connection_id: Some(PeeringConnectionId::new("pcx-1")),
                peering_status: some("active"),
                description: some("\"from\" the web\n"),
            }],
            ip_ranges: vec![IpRange {
                cidr_ip: some("10.0.0.0/8"),
                description: None,
            }],
            ipv6_ranges: vec![Ipv6Range {
                cidr_ipv6: some("::/0"),
                description: None,
            }],
            prefix_list_ids: vec![PrefixList {
                prefix_list_id: some("pl-1"),
                description: None,
            }],
        };
        SecurityGroup {
            group_id: GroupId::new("sg-0a"),
            group_name: some("db"),
            owner_id: Some(AccountId::new("111111111111")),
            vpc_id: Some(VpcId::new("vpc-1")),
            security_group_arn: some("arn:aws:ec2:eu-west-1:111111111111:security-group/sg-0a"),
            ip_permissions: vec![permission.clone(), IpPermission::default()],
            ip_permissions_egress: vec![permission],
            tags: BTreeMap::from([
                ("team".to_owned(), "payments".to_owned()),
                ("empty".to_owned(), String::new()),
            ]),
        }
    }

    fn bare_group(id: &str) -> SecurityGroup {
        serde_json::from_str(&format!(r#"{{"GroupId":"{id}","IpPermissions":[]}}"#)).unwrap()
    }

    fn interface() -> NetworkInterface {
        NetworkInterface {
            network_interface_id: "eni-1".to_owned(),
            interface_type: some("interface"),
            owner_id: Some(AccountId::new("111111111111")),
            vpc_id: Some(VpcId::new("vpc-1")),
            groups: vec![InterfaceGroup {
                group_id: GroupId::new("sg-0a"),
            }],
            attachment: Attachment {
                instance_id: some("i-1"),
            },
            association: Association {
                public_ip: some("198.51.100.1"),
                carrier_ip: None,
            },
            private_ip_addresses: vec![PrivateAddress::default()],
            ipv6_addresses: vec![Ipv6Address {
                ipv6_address: some("2a05:d018::1"),
            }],
        }
    }

    fn files(directory: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_kept_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("a/b");
        let saved = saved(&directory);
        let groups = [whole_group(), bare_group("sg-0c")];
        let bare: NetworkInterface =
            serde_json::from_str(r#"{"NetworkInterfaceId":"eni-2","Groups":[]}"#).unwrap();
        let interfaces = [interface(), bare];
        saved.write(&groups, Some(&interfaces)).unwrap();
        assert_eq!(files(&directory), ["111111111111_eu-west-1.json"]);
        let text = std::fs::read_to_string(saved.path()).unwrap();
        let read: Result<Vec<_>, _> = GroupReader::new("f", text.as_bytes()).collect();
        assert_eq!(read.unwrap(), groups);
        let read: Result<Vec<_>, _> = interfaces_beside_groups("f", &text).into_iter().collect();
        assert_eq!(read.unwrap(), interfaces);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(saved.path())
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn it_looks_as_the_aws_cli_prints_it() {
        let folder = tempfile::tempdir().unwrap();
        let saved = saved(folder.path());
        let mut group = whole_group();
        group.ip_permissions.truncate(1);
        group.ip_permissions_egress.clear();
        group.ip_permissions[0].ip_ranges[0].description = some("the office");
        saved.write(&[group], None).unwrap();
        let text = std::fs::read_to_string(saved.path()).unwrap();
        insta::assert_snapshot!(text, @r#"
        {
            "SecurityGroups": [
                {
                    "GroupId": "sg-0a",
                    "GroupName": "db",
                    "OwnerId": "111111111111",
                    "VpcId": "vpc-1",
                    "SecurityGroupArn": "arn:aws:ec2:eu-west-1:111111111111:security-group/sg-0a",
                    "IpPermissions": [
                        {
                            "IpProtocol": "tcp",
                            "FromPort": 0,
                            "ToPort": 65535,
                            "UserIdGroupPairs": [
                                {
                                    "GroupId": "sg-0b",
                                    "GroupName": "web",
                                    "UserId": "222222222222",
                                    "VpcId": "vpc-2",
                                    "VpcPeeringConnectionId": "pcx-1",
                                    "PeeringStatus": "active",
                                    "Description": "\"from\" the web\n"
                                }
                            ],
                            "IpRanges": [
                                {
                                    "CidrIp": "10.0.0.0/8",
                                    "Description": "the office"
                                }
                            ],
                            "Ipv6Ranges": [
                                {
                                    "CidrIpv6": "::/0"
                                }
                            ],
                            "PrefixListIds": [
                                {
                                    "PrefixListId": "pl-1"
                                }
                            ]
                        }
                    ],
                    "IpPermissionsEgress": [],
                    "Tags": [
                        {
                            "Key": "empty",
                            "Value": ""
                        },
                        {
                            "Key": "team",
                            "Value": "payments"
                        }
                    ]
                }
            ]
        }
        "#);
    }

    #[test]
    fn a_new_file_takes_the_place_of_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let saved = saved(folder.path());
        std::fs::write(saved.path(), "old, and readable by all").unwrap();
        saved.write(&[bare_group("sg-0c")], Some(&[])).unwrap();
        let text = std::fs::read_to_string(saved.path()).unwrap();
        assert!(
            text.contains("\"sg-0c\"") && text.contains("\"NetworkInterfaces\": []"),
            "{text}"
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(saved.path())
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert_eq!(files(folder.path()).len(), 1);
    }

    #[test]
    fn what_cannot_be_written_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let saved = saved(folder.path());
        // A directory in its place: it cannot be renamed over.
        std::fs::create_dir(saved.path()).unwrap();
        std::fs::write(saved.path().join("old"), "").unwrap();
        let error = saved.write(&[], None).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("111111111111_eu-west-1.json: cannot be written")
        );
        assert_eq!(files(folder.path()), ["111111111111_eu-west-1.json"]);
        assert!(matches!(saved.remove(), Err(SaveError::Remove(..))));
    }

    #[test]
    fn an_old_file_is_removed_once() {
        let folder = tempfile::tempdir().unwrap();
        let saved = saved(folder.path());
        saved.write(&[], None).unwrap();
        assert!(saved.remove().unwrap());
        assert!(!saved.remove().unwrap());
        assert!(files(folder.path()).is_empty());
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let scope = Scope {
            partition: Partition::new("aws"),
            region: Region::new("eu-west-1"),
            account: AccountId::new("111111111111"),
        };
        let error = SavedScope::new(&file, &scope).unwrap_err();
        assert!(matches!(error, SaveError::Directory(..)), "{error}");
    }
}
