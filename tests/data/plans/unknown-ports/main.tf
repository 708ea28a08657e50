resource "terraform_data" "later" {
  input = "x"
}

resource "aws_security_group" "web" {
  name = "web"
}

# From 1000: at most 64536 ports, which is below the limit.
resource "aws_security_group" "high" {
  name = "high"

  ingress {
    from_port       = 1000
    to_port         = length(terraform_data.later.id)
    protocol        = "tcp"
    security_groups = [aws_security_group.web.id]
  }
}

resource "aws_security_group" "any" {
  name = "any"
}

resource "aws_security_group_rule" "any" {
  type                     = "ingress"
  security_group_id        = aws_security_group.any.id
  protocol                 = "tcp"
  from_port                = 1
  to_port                  = length(terraform_data.later.id)
  source_security_group_id = aws_security_group.web.id
}

resource "aws_security_group" "protocol" {
  name = "protocol"
}

resource "aws_vpc_security_group_ingress_rule" "protocol" {
  security_group_id            = aws_security_group.protocol.id
  ip_protocol                  = terraform_data.later.output
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = aws_security_group.web.id
}

# Without ports whatever they are.
resource "aws_security_group" "all" {
  name = "all"
}

resource "aws_vpc_security_group_ingress_rule" "all" {
  security_group_id            = aws_security_group.all.id
  ip_protocol                  = "50"
  from_port                    = length(terraform_data.later.id)
  to_port                      = length(terraform_data.later.id)
  referenced_security_group_id = aws_security_group.web.id
}
