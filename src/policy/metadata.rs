//! What the policy is called and how it is classified: the one place for it.

/// The policy's id, which is also the `GeneratorId` of its findings.
pub const ID: &str = "AWS.SecurityGroup.RestrictsInterSecurityGroupTraffic";
/// The sentence of the policy about one group.
pub const DEMAND: &str = "should restrict traffic from other security groups";
/// MITRE ATT&CK tactic and technique: Lateral Movement, Exploitation of Remote Services.
pub const MITRE: &str = "TA0008:T1210";
/// Security Hub's finding types, from
/// <https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format-type-taxonomy.html>.
pub const TYPES: [&str; 2] = [
    "Software and Configuration Checks/AWS Security Best Practices/Network Reachability",
    "TTPs/Lateral Movement",
];
/// Where AWS explains security group rules.
pub const REMEDIATION_URL: &str =
    "https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html";
