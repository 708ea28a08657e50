# The rule of `mended` is destroyed, its group stays; `wide` and its rule are destroyed.
resource "aws_security_group" "web" {
  name = "web"
}

resource "aws_security_group" "mended" {
  name = "mended"
}
