variable "id" {
  type = string
}

import {
  to = aws_security_group.open
  id = var.id
}

resource "aws_security_group" "open" {
  name = "open"

  ingress {
    protocol  = "-1"
    from_port = 0
    to_port   = 0
    self      = true
  }
}
