"""Amazon SQS, as far as a Lambda function calls it itself: messages that it sends, and when messages become visible again.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibilityBatch.html
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
"""

from .answers import Reply, malformed

MOST_ENTRIES, LONGEST = 10, 43_200


class Sqs:
    def __init__(self):
        self.reset()

    def reset(self):
        self.visible_in = {}  # (queue, receipt handle) -> seconds, as last asked for
        self.refused = set()  # receipt handles that are not known any more
        self.sent = []  # (queue, body) of every message that was taken
        self.not_taken = {}  # id of a message -> how often it is not taken yet, for the service's own reasons

    def change_message_visibility_batch(self, request):
        entries, queue = request["Entries"], request["QueueUrl"].split("/", 3)[-1]
        ids = [entry["Id"] for entry in entries]
        are_right = all(0 <= entry["VisibilityTimeout"] <= LONGEST and entry["ReceiptHandle"] for entry in entries)
        if not 1 <= len(entries) <= MOST_ENTRIES or len(set(ids)) != len(ids) or not are_right:
            return malformed(Reply(400, {"__type": "com.amazonaws.sqs#InvalidBatchEntry", "message": f"{entries}"}))
        failed = [entry for entry in entries if entry["ReceiptHandle"] in self.refused]
        for entry in entries:
            if entry not in failed:
                self.visible_in[queue, entry["ReceiptHandle"]] = entry["VisibilityTimeout"]
        return Reply(200, {
            "Successful": [{"Id": entry["Id"]} for entry in entries if entry not in failed],
            "Failed": [{"Id": entry["Id"], "SenderFault": True, "Code": "ReceiptHandleIsInvalid", "Message": "The receipt handle has expired"} for entry in failed],
        })  # fmt: skip

    def send_message_batch(self, request):
        entries, queue = request["Entries"], request["QueueUrl"].split("/", 3)[-1]
        ids = [entry["Id"] for entry in entries]
        if not 1 <= len(entries) <= MOST_ENTRIES or len(set(ids)) != len(ids):
            return malformed(Reply(400, {"__type": "com.amazonaws.sqs#InvalidBatchEntry", "message": f"{entries}"}))
        taken, failed = [], []
        for entry in entries:
            if self.not_taken.get(entry["Id"], 0) > 0:
                self.not_taken[entry["Id"]] -= 1
                failed.append({"Id": entry["Id"], "SenderFault": False, "Code": "InternalError", "Message": "try again"})
            else:
                self.sent.append((queue, entry["MessageBody"]))
                taken.append({"Id": entry["Id"], "MessageId": f"sent-{len(self.sent)}"})
        return Reply(200, {"Successful": taken, **({"Failed": failed} if failed else {})})
