"""Given names that are frequent in public birth statistics of some thirty countries, and words that no surname is.

Our own short list, made from what statistics offices publish as frequent; no names package installs from the registry
with the rest. Names that are everyday words (Will, Mark, May, Rose, Art) are left out: a title or a greeting finds them.
"""

from __future__ import annotations

_GIVEN = """
Aaron Abdul Abdullah Abigail Adam Adriana Adrian Agnieszka Ahmed Aiden Aisha Akira Alan Albert Alberto Alejandra
Alejandro Aleksandr Alessandro Alessia Alexander Alexandra Alexei Alexis Alfred Ali Alice Alicia Alison Amanda Amelia
Amina Amir Amit Amy Ana Anastasia Anders Andrea Andreas Andrei Andrew Andrzej Angela Anika Anil Anita Anna Anne Annette
Antoine Anton Antonio Anya Arjun Arnaud Arthur Arturo Ashley Astrid Aurora Ava Axel Ayesha Barbara Beatrice Beatriz
Benedikt Benjamin Bernard Bernd Birgit Björn Bogdan Brandon Brenda Brian Bridget Bruno Bryan Camila Camille Carina Carl
Carla Carlos Carmen Carol Carolina Caroline Catherine Cecilia Charles Charlotte Chen Chiara Chloe Christian Christina
Christine Christopher Claire Clara Claudia Clément Colin Connor Cristina Cynthia Daniel Daniela Danielle David Deborah
Deepak Denis Dennis Derek Diana Diego Dieter Dimitri Dmitri Dominik Dorothy Douglas Dylan Edith Eduardo Edward Eileen
Elena Eleanor Eli Elias Elif Elisa Elisabeth Elizabeth Ella Ellen Elsa Emil Emily Emma Emmanuel Eric Erika Erik Ernst
Esther Ethan Eugene Eva Evelyn Fatima Federica Federico Felipe Felix Fernanda Fernando Fiona Florian Frances Francesca
Francesco Francisco François Françoise Frank Franz Fredrik Friedrich Gabriel Gabriela Gabriele Gareth Gary Geoffrey
George Georgia Gerald Gerard Gerhard Gianluca Giovanni Giulia Giuseppe Gloria Gonzalo Gordon Graham Gregory Greta
Guillaume Gustav Hannah Hans Harold Harriet Harry Hassan Heather Hector Heidi Heinrich Helen Helena Helga Henri Henrik
Henry Hiroshi Howard Hugo Ian Ibrahim Ignacio Ines Ingrid Irene Irina Isaac Isabel Isabella Isabelle Ivan Jack Jacob
Jacqueline Jacques Jakob Jakub James Jamie Jan Jane Janet Janina Jason Javier Jean Jeffrey Jennifer Jens Jeremy Jessica
Jesus Jill Joan Joanna Joao Joaquin Joel Johan Johann Johanna Johannes John Jonas Jonathan Jörg Jorge José Joseph Joshua
Juan Judith Julia Julian Juliana Julie Julien Jürgen Justin Kai Karen Karim Karin Karl Karolina Katarzyna Kate Katherine
Kathleen Katja Katrin Kavita Keith Kelly Kenneth Kenji Kevin Khalid Kimberly Klaus Krzysztof Kumar Kurt Kyle Lars Laura
Lauren Laurent Lea Lena Leo Leon Leonardo Leonie Leticia Liam Lillian Linda Lisa Logan Lorenzo Louis Louise Luca Lucas
Lucia Lucy Luigi Luis Luisa Lukas Luke Luna Maciej Madeleine Magdalena Magnus Malcolm Manfred Manuel Marcel Marcin Marco
Marcus Margaret Margot Maria María Mariam Marie Marina Mario Marion Marjorie Markus Marta Martha Martin Martina Mary
Mason Mateo Mateusz Mathilde Matteo Matthew Matthias Maurice Maximilian Megan Mehmet Melanie Melissa Mia Michael Michał
Michel Michelle Miguel Mikhail Milan Miriam Mohamed Mohammed Monica Monika Muhammad Mustafa Nadia Nancy Naomi Natalia
Natalie Natasha Nathan Neil Nicholas Nicola Nicolas Nicole Niels Nikolai Nils Nina Noah Nora Norbert Olaf Oleg Olga
Oliver Olivia Omar Oscar Otto Pablo Pamela Paola Paolo Patricia Patrick Paul Paula Pauline Pavel Pedro Peter Petra
Philip Philippe Phillip Pierre Piotr Priya Rachel Rafael Rahul Raj Rajesh Ralf Ralph Ramon Raquel Raymond Rebecca Renate
René Ricardo Richard Rita Robert Roberta Roberto Rodrigo Roger Roland Ronald Rosa Rosemary Roy Ruben Russell Ruth Ryan
Sabine Sakura Salma Samantha Samir Samuel Sandra Sanjay Santiago Sara Sarah Scott Sean Sebastian Serena Sergei Sergio
Sharon Sheila Shirley Silvia Simon Simone Sofia Sonja Sophia Sophie Stefan Stefania Stefano Stella Stephanie Stephen
Steven Stuart Sunita Susan Susanne Suzanne Sven Svetlana Sylvia Takashi Tamara Tanja Tatiana Teresa Theodore Theresa
Thierry Thomas Tiffany Timothy Tobias Tomasz Tommaso Tracy Ulrich Ursula Uwe Valentina Valeria Vanessa Vera Veronica
Victor Victoria Vijay Vincent Virginia Vladimir Walter Wanda Wei Werner Wilhelm William Wolfgang Xavier Yasmin Yolanda
Yuki Yusuf Yvonne Zachary Zoe Zofia
"""

_NO_SURNAMES = """
About After Airport Also And April August Avenue Bank Before Board Bridge Building But By Center Centre Church City Club
College Committee Community Company Copyright Corp Corporation Council County Court December Department Drive February
For Foundation Friday From Go Group Has He Her His Hospital Hotel How If In Inc Institute Is It January July June Lake
Lane Law License Ltd March May Monday Museum Not November October On Or Park Parkway Please Prize Project Road Saturday
School September She Software Square Station Street Sunday Team The There This Thursday Today Tomorrow Tuesday Team
University Was We Wednesday Was What When Where Which Who Why With World Yesterday You Your Theorem Method Effect
Algorithm
"""

GIVEN_NAMES = frozenset(_GIVEN.split())
NO_SURNAMES = frozenset(_NO_SURNAMES.split())
