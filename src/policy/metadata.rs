//! What the policy is called and how it is classified: the one place for it.

/// The policy's id, which is also the `GeneratorId` of its findings.
pub const ID: &str = "AWS.SecurityGroup.RestrictsInterSecurityGroupTraffic";
/// What the policy asks for, said of one group.
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
/// What to do about a violation.
pub const REMEDIATION: &str = "Revoke the rule and allow only the ports that the source needs: the commands are in ProductFields sg-trust/fix/1.";
/// What to do about violations that are all exempt.
pub const REMEDIATION_EXEMPT: &str = "Nothing to do while the exemption holds. When it ends the finding turns FAILED: the commands that revoke the rule are in ProductFields sg-trust/fix/1.";
/// What to do when there is none.
pub const REMEDIATION_NONE: &str =
    "Nothing to do: no rule lets another security group reach all ports of this one.";
