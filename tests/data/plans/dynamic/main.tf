variable "ports" {
  type    = list(number)
  default = [80, 443]
}

resource "terraform_data" "later" {
  input = "x"
}

resource "aws_security_group" "web" {
  name = "web"
}

# What for_each goes over is known: the block is there.
resource "aws_security_group" "known" {
  name = "known"

  dynamic "ingress" {
    for_each = [1]
    content {
      protocol        = "-1"
      from_port       = 0
      to_port         = 0
      security_groups = [aws_security_group.web.id]
    }
  }
}

resource "aws_security_group" "ports" {
  name = "ports"

  dynamic "ingress" {
    for_each = var.ports
    content {
      protocol        = "tcp"
      from_port       = ingress.value
      to_port         = ingress.value
      security_groups = [aws_security_group.web.id]
    }
  }
}

# Nobody knows how many blocks there are.
resource "aws_security_group" "unknown" {
  name = "unknown"

  dynamic "ingress" {
    for_each = terraform_data.later.output == "x" ? [1] : []
    content {
      protocol        = "-1"
      from_port       = 0
      to_port         = 0
      security_groups = [aws_security_group.web.id]
    }
  }
}
