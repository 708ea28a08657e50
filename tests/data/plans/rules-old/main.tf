resource "aws_security_group" "web" {
  name = "web"
}

resource "aws_security_group" "db" {
  name = "db"
}

resource "aws_security_group" "cache" {
  name = "cache"
}

# Every port, but only for addresses: the id of a source is unknown all the same.
resource "aws_security_group_rule" "web_https" {
  type              = "ingress"
  security_group_id = aws_security_group.web.id
  protocol          = "tcp"
  from_port         = 0
  to_port           = 65535
  cidr_blocks       = ["10.0.0.0/8"]
}

resource "aws_security_group_rule" "db_all" {
  type                     = "ingress"
  security_group_id        = aws_security_group.db.id
  protocol                 = "all"
  from_port                = 80
  to_port                  = 80
  source_security_group_id = aws_security_group.web.id
}

resource "aws_security_group_rule" "db_out" {
  type                     = "egress"
  security_group_id        = aws_security_group.cache.id
  protocol                 = "-1"
  from_port                = 0
  to_port                  = 0
  source_security_group_id = aws_security_group.web.id
}

resource "aws_security_group_rule" "cache_redis" {
  type                     = "ingress"
  security_group_id        = aws_security_group.cache.id
  protocol                 = 6
  from_port                = 6379
  to_port                  = 6379
  source_security_group_id = aws_security_group.web.id
}

resource "aws_security_group_rule" "cache_self" {
  type              = "ingress"
  security_group_id = aws_security_group.cache.id
  protocol          = "tcp"
  from_port         = 6379
  to_port           = 6379
  self              = true
}
