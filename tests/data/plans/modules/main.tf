# The root has a group of the same name as the module.
resource "aws_security_group" "db" {
  name = "root-db"
}

module "tier" {
  source   = "./tier"
  for_each = toset(["blue", "green"])

  name    = each.key
  clients = aws_security_group.db.id
}

module "pool" {
  source = "./tier"
  count  = 2

  name    = "pool-${count.index}"
  clients = module.tier["blue"].group_id
}

resource "aws_security_group" "many" {
  for_each = toset(["a", "b"])
  name     = "many-${each.key}"
}

resource "aws_vpc_security_group_ingress_rule" "many" {
  for_each = aws_security_group.many

  security_group_id            = aws_security_group.many[each.key].id
  ip_protocol                  = "-1"
  referenced_security_group_id = module.pool[1].group_id
}
