# The rule of `mended` stays, and Terraform no longer manages it; so do `wide` and its rule.
resource "aws_security_group" "web" {
  name = "web"
}

resource "aws_security_group" "mended" {
  name = "mended"
}

removed {
  from = aws_security_group_rule.mended
  lifecycle {
    destroy = false
  }
}

removed {
  from = aws_security_group.wide
  lifecycle {
    destroy = false
  }
}

removed {
  from = aws_vpc_security_group_ingress_rule.wide
  lifecycle {
    destroy = false
  }
}
