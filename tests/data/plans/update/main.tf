resource "aws_security_group" "web" {
  name = "web"
}

resource "aws_security_group" "db" {
  name = "db"

  ingress {
    protocol        = "-1"
    from_port       = 0
    to_port         = 0
    security_groups = [aws_security_group.web.id]
  }
}

resource "aws_security_group" "wide" {
  name = "wide"
}

resource "aws_vpc_security_group_ingress_rule" "wide" {
  security_group_id            = aws_security_group.wide.id
  ip_protocol                  = "tcp"
  from_port                    = 0
  to_port                      = 65535
  referenced_security_group_id = aws_security_group.web.id
}

resource "aws_security_group" "mended" {
  name = "mended"
}

resource "aws_security_group_rule" "mended" {
  type                     = "ingress"
  security_group_id        = aws_security_group.mended.id
  protocol                 = "tcp"
  from_port                = 443
  to_port                  = 443
  source_security_group_id = aws_security_group.web.id
}
