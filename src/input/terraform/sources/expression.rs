//! What expressions refer to.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use hcl_edit::expr::{Expression, ForExpr, Traversal, TraversalOperator};
use hcl_edit::visit::{Visit, visit_expr, visit_for_expr, visit_traversal};

use super::super::reference::Key;

/// What an expression is made of.
#[derive(Debug, Clone, Default)]
pub(super) struct Made {
    /// As plans write references: `aws_security_group.a[0].id`.
    pub(super) references: Vec<String>,
    /// Whether a condition, or `for`, decides what is in it.
    pub(super) has_choice: bool,
}

/// `aws_security_group.a[each.key].id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Indexed {
    pub(in super::super) resource_type: String,
    pub(in super::super) name: String,
    pub(in super::super) attribute: String,
    is_count: bool,
}

impl Indexed {
    /// Whether the instance has a key of the kind that the expression uses.
    pub(in super::super) fn fits(&self, key: &Key) -> bool {
        self.is_count == matches!(key, Key::Number(_))
    }

    /// Of an expression that is just that.
    pub(super) fn of(expression: &Expression) -> Option<Self> {
        let expression = match expression {
            Expression::Parenthesis(inner) => inner.inner(),
            other => other,
        };
        let Expression::Traversal(traversal) = expression else {
            return None;
        };
        let Expression::Variable(root) = &traversal.expr else {
            return None;
        };
        let mut operators = traversal.operators.iter().map(|operator| operator.value());
        let (
            Some(TraversalOperator::GetAttr(name)),
            Some(TraversalOperator::Index(index)),
            Some(TraversalOperator::GetAttr(attribute)),
            None,
        ) = (
            operators.next(),
            operators.next(),
            operators.next(),
            operators.next(),
        )
        else {
            return None;
        };
        let index = made(index).references;
        let is_count = match index.as_slice() {
            [one] if one == "each.key" => false,
            [one] if one == "count.index" => true,
            _ => return None,
        };
        // Nothing but the key itself: a template around it has the same reference.
        let is_key = traversal.operators.get(1).is_some_and(|operator| {
            matches!(
                operator.value(),
                TraversalOperator::Index(Expression::Traversal(_))
            )
        });
        is_key.then(|| Self {
            resource_type: root.value().to_string(),
            name: name.value().to_string(),
            attribute: attribute.value().to_string(),
            is_count,
        })
    }
}

/// What an expression is made of.
pub(super) fn made(expression: &Expression) -> Made {
    let mut collector = Collector::default();
    collector.visit_expr(expression);
    collector.made
}

#[derive(Default)]
struct Collector {
    made: Made,
    /// Names that `for` binds.
    bound: BTreeSet<String>,
}

impl Collector {
    fn note(&mut self, root: &str, reference: String) {
        if !self.bound.contains(root) && !self.made.references.contains(&reference) {
            self.made.references.push(reference);
        }
    }
}

impl Visit for Collector {
    fn visit_expr(&mut self, node: &Expression) {
        match node {
            Expression::Variable(name) => {
                let name = name.value().to_string();
                self.note(&name, name.clone());
            }
            Expression::Conditional(_) => {
                self.made.has_choice = true;
                visit_expr(self, node);
            }
            _ => visit_expr(self, node),
        }
    }

    fn visit_for_expr(&mut self, node: &ForExpr) {
        self.made.has_choice = true;
        let intro = &node.intro;
        let names = intro
            .key_var
            .iter()
            .chain(std::iter::once(&intro.value_var));
        let names: Vec<String> = names.map(|name| name.value().to_string()).collect();
        self.bound.extend(names);
        visit_for_expr(self, node);
    }

    fn visit_traversal(&mut self, node: &Traversal) {
        let Expression::Variable(root) = &node.expr else {
            visit_traversal(self, node);
            return;
        };
        let root = root.value().to_string();
        let mut text = root.clone();
        let mut is_whole = true;
        for operator in &node.operators {
            match operator.value() {
                TraversalOperator::GetAttr(name) if is_whole => {
                    let _ = write!(text, ".{}", name.value());
                }
                TraversalOperator::Index(Expression::String(key)) if is_whole => {
                    let key = serde_json::Value::String(key.value().clone());
                    let _ = write!(text, "[{key}]");
                }
                TraversalOperator::Index(Expression::Number(number)) if is_whole => {
                    let _ = write!(text, "[{}]", number.value());
                }
                TraversalOperator::LegacyIndex(number) if is_whole => {
                    let _ = write!(text, "[{}]", number.value());
                }
                TraversalOperator::Index(expression) => {
                    is_whole = false;
                    self.visit_expr(expression);
                }
                _ => is_whole = false,
            }
        }
        self.note(&root, text);
    }
}
