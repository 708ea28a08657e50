//! The commands of the AWS CLI that tell what `doctor` cannot ask, and the answers to expect.

/// Where the product is to work. Without AWS some of it is not known, and stands for itself in capitals.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) partition: String,
    pub(super) region: String,
    pub(super) account: String,
}

/// What is to be found out, and how.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) what: String,
    pub(super) command: String,
}

fn question(what: impl Into<String>, command: impl Into<String>) -> Question {
    Question {
        what: what.into(),
        command: command.into(),
    }
}

/// What nobody can tell from the answers of EC2 and Security Hub.
pub(super) fn never_asked(place: &Place) -> Vec<Question> {
    let region = &place.region;
    let mut questions = vec![
        question(
            "whether there is a trail of this Region, or of all: without one that logs write management events no event comes",
            format!(
                "aws cloudtrail describe-trails --region {region} --query 'trailList[].[TrailARN,IsMultiRegionTrail,HomeRegion]' --output text"
            ),
        ),
        // By its ARN: a trail of another Region or of the organisation is not found by its name.
        question(
            "whether the trail logs: the answer must be true",
            format!(
                "aws cloudtrail get-trail-status --region {region} --name TRAIL_ARN --query IsLogging"
            ),
        ),
        question(
            "whether it logs write management events: ReadWriteType All or WriteOnly with IncludeManagementEvents true, or a field selector with eventCategory Management",
            format!("aws cloudtrail get-event-selectors --region {region} --trail-name TRAIL_ARN"),
        ),
        question(
            "whether the rule on the default bus is enabled: the answer must be ENABLED",
            format!(
                "aws events list-rules --region {region} --query \"Rules[?contains(EventPattern || '', 'AuthorizeSecurityGroupIngress')].[Name,State]\" --output text"
            ),
        ),
        question(
            "whether the rule has the function, or its queue, as its target",
            format!(
                "aws events list-targets-by-rule --region {region} --rule sg-trust-lambda --query 'Targets[].Arn' --output text"
            ),
        ),
        question(
            "whether the schedule of the sweep is enabled: the answer must be ENABLED",
            format!(
                "aws scheduler list-schedules --region {region} --query \"Schedules[?contains(Target.Arn, 'sg-trust')].[Name,State]\" --output text"
            ),
        ),
    ];
    questions.extend(of_role(place));
    questions
}

/// Whether the function's own role may do what it must. The simulation knows no resource and no context by itself: without
/// those that the role's policies name, it would say that everything is denied.
fn of_role(place: &Place) -> Vec<Question> {
    let Place {
        partition,
        region,
        account,
    } = place;
    let hub = format!("arn:{partition}:securityhub:{region}:{account}");
    let role = format!(
        "\"$(aws lambda get-function-configuration --region {region} --function-name sg-trust-lambda --query Role --output text)\""
    );
    let simulated = |actions: &str, more: &str| {
        question(
            format!("whether the function's own role may: each of {actions} must be allowed"),
            format!(
                "aws iam simulate-principal-policy --policy-source-arn {role} --action-names {actions} {more} --query 'EvaluationResults[].[EvalActionName,EvalDecision]' --output text"
            ),
        )
    };
    let context = |key: &str, value: &str| {
        format!(
            "--context-entries ContextKeyName={key},ContextKeyType=string,ContextKeyValues={value}"
        )
    };
    vec![
        simulated(
            "ec2:DescribeSecurityGroups ec2:DescribeVpcs",
            &context("aws:RequestedRegion", region),
        ),
        simulated(
            "securityhub:BatchImportFindings",
            &format!(
                "--resource-arns {hub}:product/{account}/default {}",
                context("securityhub:TargetAccount", account)
            ),
        ),
        simulated(
            "securityhub:DescribeHub securityhub:GetFindings",
            &format!("--resource-arns {hub}:hub/default"),
        ),
    ]
}

/// What `doctor` asks itself where it was built with AWS.
#[cfg(any(test, not(feature = "aws")))]
pub(super) fn asked_with_aws(place: &Place) -> Vec<Question> {
    let region = &place.region;
    vec![
        question(
            "whose credentials these are",
            "aws sts get-caller-identity --query '[Account,Arn]' --output text",
        ),
        question(
            "whether the clock is right: it must be no more than 5 seconds from the Date of AWS's answer",
            format!("date -u; curl -sI https://ec2.{region}.amazonaws.com | grep -i ^date"),
        ),
        question(
            "whether Security Hub CSPM is enabled: the answer must be an ARN",
            format!("aws securityhub describe-hub --region {region} --query HubArn --output text"),
        ),
        question(
            "whether your credentials may read security groups: the answer must be DryRunOperation",
            format!("aws ec2 describe-security-groups --region {region} --dry-run"),
        ),
        question(
            "whether your credentials may read findings",
            format!(
                "aws securityhub get-findings --region {region} --max-results 1 --query 'Findings[].Id'"
            ),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            partition: "aws-us-gov".to_owned(),
            region: "us-gov-west-1".to_owned(),
            account: "123456789012".to_owned(),
        }
    }

    fn commands() -> Vec<String> {
        let all = never_asked(&place())
            .into_iter()
            .chain(asked_with_aws(&place()));
        all.map(|question| question.command).collect()
    }

    #[test]
    fn a_simulation_names_the_resources_and_the_context_of_the_roles_policies() {
        let simulated: Vec<_> = commands()
            .into_iter()
            .filter(|command| command.contains("simulate-principal-policy"))
            .collect();
        assert_eq!(simulated.len(), 3);
        for (action, more) in [
            (
                "ec2:DescribeSecurityGroups",
                "ContextKeyName=aws:RequestedRegion,ContextKeyType=string,ContextKeyValues=us-gov-west-1",
            ),
            (
                "securityhub:BatchImportFindings",
                "--resource-arns arn:aws-us-gov:securityhub:us-gov-west-1:123456789012:product/123456789012/default --context-entries ContextKeyName=securityhub:TargetAccount,ContextKeyType=string,ContextKeyValues=123456789012",
            ),
            (
                "securityhub:GetFindings",
                "--resource-arns arn:aws-us-gov:securityhub:us-gov-west-1:123456789012:hub/default",
            ),
        ] {
            let with_action = simulated.iter().filter(|command| command.contains(action));
            assert!(
                with_action.clone().count() == 1
                    && with_action.clone().all(|command| command.contains(more)),
                "{action}"
            );
        }
    }

    #[test]
    fn a_trail_is_asked_for_by_its_arn() {
        let of_one: Vec<_> = commands()
            .into_iter()
            .filter(|command| {
                command.contains("get-trail-status") || command.contains("get-event-selectors")
            })
            .collect();
        assert_eq!(of_one.len(), 2);
        assert!(of_one.iter().all(|command| command.contains("TRAIL_ARN")));
    }

    #[test]
    fn every_call_of_a_service_of_a_region_names_the_region() {
        for command in commands() {
            for call in command
                .split("aws ")
                .skip(1)
                .filter(|call| !call.starts_with("iam ") && !call.starts_with("sts "))
            {
                assert!(call.contains("--region us-gov-west-1"), "{command}");
            }
        }
    }
}
