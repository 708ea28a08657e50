variable "name" {
  type      = string
  sensitive = true
  default   = "hush-hush"
}

variable "port" {
  type      = number
  sensitive = true
  default   = 65501
}

resource "aws_security_group" "secret" {
  name = var.name

  ingress {
    protocol  = "tcp"
    from_port = 0
    to_port   = var.port
    self      = true
  }
}
