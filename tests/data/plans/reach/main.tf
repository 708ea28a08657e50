# The internet reaches `web` already; two new rules and a new group make a way to `payments-db`.
resource "aws_security_group" "web" {
  name = "web"

  ingress {
    protocol    = "tcp"
    from_port   = 443
    to_port     = 443
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_security_group" "app" {
  name = "app"

  ingress {
    protocol        = "tcp"
    from_port       = 8080
    to_port         = 8080
    security_groups = [aws_security_group.web.id]
  }
}

resource "aws_security_group" "payments_db" {
  name = "payments-db"
}

resource "aws_vpc_security_group_ingress_rule" "payments_db" {
  security_group_id            = aws_security_group.payments_db.id
  ip_protocol                  = "-1"
  referenced_security_group_id = aws_security_group.app.id
}

# EKS makes a group of its own.
resource "aws_eks_cluster" "main" {
  name     = "main"
  role_arn = "arn:aws:iam::123456789012:role/eks"

  vpc_config {
    subnet_ids = ["subnet-1", "subnet-2"]
  }
}
