resource "aws_vpc" "bare" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_vpc" "managed" {
  cidr_block = "10.1.0.0/16"
}

# Without ingress: the provider removes the rules that EC2 made.
resource "aws_default_security_group" "managed" {
  vpc_id = aws_vpc.managed.id
}

resource "aws_vpc" "open" {
  cidr_block = "10.2.0.0/16"
}

resource "aws_default_security_group" "open" {
  vpc_id = aws_vpc.open.id

  ingress {
    protocol  = -1
    self      = true
    from_port = 0
    to_port   = 0
  }
}
