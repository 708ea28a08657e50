resource "terraform_data" "later" {
  input = "sg-0123456789abcdef0"
}

resource "aws_security_group" "a" {
  name = "a"
}

resource "aws_security_group" "b" {
  name = "b"
}

# A source that nobody knows, but one: FAILED.
resource "aws_security_group" "someone" {
  name = "someone"
}

resource "aws_security_group_rule" "someone" {
  type                     = "ingress"
  security_group_id        = aws_security_group.someone.id
  protocol                 = "-1"
  from_port                = 0
  to_port                  = 0
  source_security_group_id = terraform_data.later.output
}

# A list of groups that may be empty.
resource "aws_security_group" "list" {
  name = "list"

  ingress {
    protocol        = "-1"
    from_port       = 0
    to_port         = 0
    security_groups = terraform_data.later.output == "x" ? [terraform_data.later.output] : []
  }
}

# Two halves, from two sources that may be the same.
resource "aws_security_group" "halves" {
  name = "halves"
}

resource "aws_vpc_security_group_ingress_rule" "low" {
  security_group_id            = aws_security_group.halves.id
  ip_protocol                  = "tcp"
  from_port                    = 0
  to_port                      = 33000
  referenced_security_group_id = aws_security_group.a.id
}

resource "aws_vpc_security_group_ingress_rule" "high" {
  security_group_id            = aws_security_group.halves.id
  ip_protocol                  = "tcp"
  from_port                    = 33000
  to_port                      = 65535
  referenced_security_group_id = terraform_data.later.output == "x" ? aws_security_group.a.id : aws_security_group.b.id
}
